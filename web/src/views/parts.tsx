// Small parts that several views use.
import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { hueOf, initials } from "../format";
import { type Dictionary, text } from "../language";
import type { Profile } from "../protocol";
import { Icon, type IconName } from "./icons";

/** How many colours avatars have; `styles/parts.css` names them. */
const HUES = 7;

export const nameOf = (profile: Profile) => profile.full_name ?? text().someone;

/** A text with its values, each isolated: a name from right to left does not change the order of the rest. */
export function Said({ of, ...values }: { of: keyof Dictionary; [name: string]: ComponentChildren }) {
  // Every second part is the name of a value.
  const parts = text()[of].split(/\{(\w+)\}/);
  return <>{parts.map((part, index) => (index % 2 === 1 ? <bdi key={index}>{values[part]}</bdi> : part))}</>;
}

export function Avatar({ profile, online }: { profile: Profile; online?: boolean | undefined }) {
  const [isBroken, setBroken] = useState(false);
  const picture = isBroken ? undefined : profile.profile_picture_url;
  return (
    <span class={`avatar hue-${hueOf(profile._id, HUES)}`} aria-hidden="true">
      {picture ? <img src={picture} alt="" loading="lazy" onError={() => setBroken(true)} /> : initials(profile.full_name ?? "")}
      {online && <span class="avatar-online" />}
    </span>
  );
}

interface IconButtonProps {
  icon: IconName;
  label: string;
  onClick: (event: MouseEvent) => void;
  class?: string;
  tabIndex?: number;
  hasMenu?: boolean;
}

export function IconButton({ icon, label, onClick, hasMenu, ...rest }: IconButtonProps) {
  return (
    <button
      {...rest}
      class={`icon-button ${rest.class ?? ""}`}
      type="button"
      aria-label={label}
      title={label}
      {...(hasMenu ? { "aria-haspopup": "menu" as const } : {})}
      onClick={onClick}
    >
      <Icon name={icon} />
    </button>
  );
}

export function Empty({ icon, title, words, children }: EmptyProps) {
  return (
    <div class="empty">
      <span class="empty-icon">
        <Icon name={icon} />
      </span>
      <h2>{title}</h2>
      {words && <p>{words}</p>}
      {children}
    </div>
  );
}

interface EmptyProps {
  icon: IconName;
  title: string;
  words?: ComponentChildren;
  children?: ComponentChildren;
}

/** A dialog above the page; Escape or a click outside closes it. The focus returns to where it was. */
export function Modal({ title, onClose, children }: ModalProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  useLayoutEffect(() => {
    const before = document.activeElement;
    dialog.current?.showModal();
    return () => {
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);
  return (
    <dialog
      ref={dialog}
      class="modal"
      aria-labelledby="modal-title"
      onClose={onClose}
      onMouseDown={(event) => event.target === dialog.current && onClose()}
    >
      <div class="modal-body">
        <h2 id="modal-title">{title}</h2>
        {children}
      </div>
    </dialog>
  );
}

interface ModalProps {
  title: ComponentChildren;
  onClose: () => void;
  children: ComponentChildren;
}
