// The page's one menu, opened by any button: in the top layer, with arrow keys, closed by Escape or a
// click elsewhere; the focus returns to the button.
import { signal } from "@preact/signals";
import { useLayoutEffect, useRef } from "preact/hooks";
import { Icon, type IconName } from "./icons";

export interface MenuItem {
  icon: IconName;
  label: string;
  isDangerous?: boolean;
  isDisabled?: boolean;
  action: () => void;
}

interface OpenMenu {
  /** Of its own for each opening. */
  number: number;
  opener: HTMLElement;
  label: string;
  items: readonly MenuItem[];
}

const menu = signal<OpenMenu | null>(null);
let openings = 0;
const GAP = 6;

export function openMenu(opener: HTMLElement, label: string, items: readonly MenuItem[]): void {
  menu.value = { number: ++openings, opener, label, items };
}

export function MenuHost() {
  return menu.value && <Menu key={menu.value.number} {...menu.value} />;
}

function place(popup: HTMLElement, opener: HTMLElement): void {
  const button = opener.getBoundingClientRect();
  const { offsetWidth: width, offsetHeight: height } = popup;
  const isBelow = button.bottom + GAP + height < innerHeight;
  const left = Math.min(Math.max(GAP, button.right - width), innerWidth - width - GAP);
  popup.style.left = `${left}px`;
  popup.style.top = `${isBelow ? button.bottom + GAP : Math.max(GAP, button.top - GAP - height)}px`;
}

function Menu({ number, opener, label, items }: OpenMenu) {
  const popup = useRef<HTMLDivElement>(null);
  const buttons = () => [...popup.current!.querySelectorAll<HTMLElement>("[role=menuitem]:not([disabled])")];

  useLayoutEffect(() => {
    const element = popup.current!;
    element.showPopover();
    place(element, opener);
    opener.setAttribute("aria-expanded", "true");
    buttons()[0]?.focus();
    return () => opener.removeAttribute("aria-expanded");
  }, []);

  function onKeyDown(event: KeyboardEvent): void {
    const all = buttons();
    const index = all.indexOf(document.activeElement as HTMLElement);
    const next: Record<string, number> = { ArrowDown: index + 1, ArrowUp: index - 1, Home: 0, End: -1 };
    const target = next[event.key];
    if (target !== undefined) {
      event.preventDefault();
      all.at(target >= all.length ? 0 : target)?.focus();
    } else if (event.key === "Tab") {
      event.preventDefault();
      popup.current!.hidePopover();
    }
  }

  function choose(item: MenuItem): void {
    popup.current!.hidePopover();
    item.action();
  }

  return (
    <section aria-label={label}>
      <div
        ref={popup}
        popover="auto"
        role="menu"
        class="menu"
        aria-label={label}
        onKeyDown={onKeyDown}
        onToggle={(event) => {
          if (event.newState !== "closed") return;
          // Unless the chosen action has moved the focus.
          if (document.activeElement === document.body && opener.isConnected) opener.focus();
          // The event comes late: the next one may be open already.
          if (menu.peek()?.number === number) menu.value = null;
        }}
      >
        {items.map((item) => (
          <button
            key={item.label}
            type="button"
            role="menuitem"
            class={item.isDangerous ? "menu-item dangerous" : "menu-item"}
            tabIndex={-1}
            disabled={item.isDisabled ?? false}
            onClick={() => choose(item)}
          >
            <Icon name={item.icon} />
            {item.label}
          </button>
        ))}
      </div>
    </section>
  );
}
