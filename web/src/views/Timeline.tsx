// The messages of a conversation. Only blocks near the screen are in the document; the others are empty boxes of
// the height that they had. The scroller is a reversed column: its zero is the newest message, so older messages
// above, and boxes that become messages, do not move what the user reads.
import { Component, createRef } from "preact";
import { dayOf } from "../format";
import { say, text } from "../language";
import type { Message } from "../protocol";
import type { Conversation } from "../state/conversations";
import { outbox } from "../state/outbox";
import { newFrom } from "../state/reading";
import { me } from "../state/session";
import { isAtEnd } from "../state/shown";
import { BLOCK, blockOf, loadNewest, loadOlder, timeline, trim } from "../state/timelines";
import { Icon } from "./icons";
import { MessageView, PendingView, messageMenu } from "./MessageView";
import { openMenu } from "./menu";
import { Empty, Said, nameOf } from "./parts";

/** How far beyond the screen blocks are kept, and older messages asked for; pixels. */
const MARGIN = 1000;
/** So near the end counts as there; pixels. */
const END = 48;
/** A longer jump does not scroll smoothly; pixels. */
const SMOOTH = 3000;

interface Props {
  conversation: Conversation;
}

interface State {
  /** Blocks that are far from the screen, with their heights. */
  far: ReadonlyMap<number, number>;
}

export class Timeline extends Component<Props, State> {
  override state: State = { far: new Map() };
  private readonly scroller = createRef<HTMLDivElement>();
  private readonly feed = createRef<HTMLDivElement>();
  private observer: IntersectionObserver | undefined;
  private pendingCount = 0;
  private hasWritten = false;

  /** The article at the top of the screen and where it is, unless the end is shown, where the browser holds still. */
  override getSnapshotBeforeUpdate(): { anchor: Element; top: number } | null {
    const scroller = this.scroller.current;
    if (!scroller || scroller.scrollTop > -1) return null;
    const edge = scroller.getBoundingClientRect().top;
    for (const block of this.feed.current?.children ?? []) {
      if (block.getBoundingClientRect().bottom <= edge) continue;
      for (const anchor of block.children.length ? block.children : [block]) {
        const { top, bottom } = anchor.getBoundingClientRect();
        if (bottom > edge) return { anchor, top };
      }
    }
    return null;
  }

  override componentDidMount(): void {
    const root = this.scroller.current;
    this.observer = new IntersectionObserver(this.onIntersection, { root, rootMargin: `${MARGIN}px 0px` });
    this.afterUpdate();
  }

  override componentDidUpdate(_: Props, __: State, snapshot: { anchor: Element; top: number } | null): void {
    const scroller = this.scroller.current;
    if (scroller && this.hasWritten) {
      // The user's own new message is shown, wherever the scroller was.
      scroller.scrollTop = 0;
    } else if (scroller && snapshot?.anchor.isConnected) {
      const moved = snapshot.anchor.getBoundingClientRect().top - snapshot.top;
      if (Math.abs(moved) > 0.5) scroller.scrollTop += moved;
    }
    this.afterUpdate();
  }

  override componentWillUnmount(): void {
    this.observer?.disconnect();
    trim(this.props.conversation.id);
  }

  private afterUpdate(): void {
    // Observing what is observed already does nothing.
    for (const block of this.feed.current?.children ?? []) {
      if (block instanceof HTMLElement && block.dataset.block) this.observer?.observe(block);
    }
    this.onScroll();
  }

  private readonly onIntersection = (entries: IntersectionObserverEntry[]): void => {
    const far = new Map(this.state.far);
    for (const { target, isIntersecting, boundingClientRect } of entries) {
      const block = Number((target as HTMLElement).dataset.block);
      if (isIntersecting) far.delete(block);
      // A block with the focus stays in the document, or the keyboard would lose its place.
      else if (!far.has(block) && target.isConnected && !target.contains(document.activeElement)) {
        far.set(block, boundingClientRect.height);
      }
    }
    this.setState({ far });
  };

  private readonly onScroll = (): void => {
    const scroller = this.scroller.current;
    if (!scroller) return;
    isAtEnd.value = -scroller.scrollTop < END;
    const above = scroller.scrollHeight - scroller.clientHeight + scroller.scrollTop;
    const { id } = this.props.conversation;
    if (above < MARGIN && timeline(id).peek().older === "idle") void loadOlder(id);
  };

  private readonly toEnd = (): void => {
    const scroller = this.scroller.current!;
    const isNear = -scroller.scrollTop < SMOOTH && !matchMedia("(prefers-reduced-motion: reduce)").matches;
    scroller.scrollTo({ top: 0, behavior: isNear ? "smooth" : "instant" });
  };

  private readonly onKeyDown = (event: KeyboardEvent): void => {
    const articles = [...this.feed.current!.querySelectorAll<HTMLElement>("article")];
    const index = articles.indexOf(document.activeElement as HTMLElement);
    const focused = articles[index];
    if (event.key === "Enter" && focused && event.target === focused) {
      // Or the menu's first item, which has the focus then, would be pressed.
      event.preventDefault();
      const seq = Number(focused.dataset.seq);
      const message = this.find(seq);
      if (message && message.deleted_at === undefined) openMenu(focused, text().messageActions, messageMenu(message));
      return;
    }
    const screen = this.scroller.current!.getBoundingClientRect();
    const shown = articles.findLastIndex((article) => article.getBoundingClientRect().top < screen.bottom - 8);
    const targets: Record<string, number> = {
      ArrowUp: index < 0 ? shown : index - 1,
      ArrowDown: index < 0 ? shown : index + 1,
      End: articles.length - 1,
    };
    const target = articles[targets[event.key] ?? -1];
    if (event.key === "End") this.scroller.current!.scrollTop = 0;
    if (!target) return;
    event.preventDefault();
    target.focus({ preventScroll: true });
    target.scrollIntoView({ block: "nearest" });
  };

  private find(seq: number): Message | undefined {
    for (const messages of timeline(this.props.conversation.id).peek().blocks.values()) {
      const found = messages.find((message) => message.seq === seq);
      if (found) return found;
    }
    return undefined;
  }

  override render() {
    const { conversation } = this.props;
    const { id, other, otherReadSeq, otherDeliveredSeq } = conversation;
    const { phase, blocks, first, older } = timeline(id).value;
    const pending = outbox.value.filter((entry) => entry.conversation_id === id);
    const words = text();
    this.hasWritten = pending.length > this.pendingCount;
    this.pendingCount = pending.length;
    const numbers = [...blocks.keys()].sort((one, two) => one - two);
    const firstNew = newFrom.value >= first ? firstOfOther(blocks, numbers, newFrom.value) : 0;
    const hasMessages = numbers.length + pending.length > 0;
    const today = dayOf(new Date());
    return (
      <div class="timeline">
        <div class="scroller" ref={this.scroller} onScroll={this.onScroll}>
          <div class="scroller-content">
            {phase === "loading" && pending.length === 0 && <Skeleton />}
            {phase === "ready" && !hasMessages && <Empty icon="chat" title={words.noMessages} words={<Said of="firstWords" name={nameOf(other)} />} />}
            {phase === "failed" && (
              <Empty icon="cloudOff" title={words.historyFailed}>
                <button type="button" class="button" onClick={() => void loadNewest(id)}>
                  {words.retry}
                </button>
              </Empty>
            )}
            <div class="older" role="status">
              {older === "loading" && words.loadingOlder}
              {older === "none" && numbers.length > 0 && <Said of="beginning" name={nameOf(other)} />}
            </div>
            {older === "failed" && (
              <p class="older">
                {words.olderFailed}{" "}
                <button type="button" class="link" onClick={() => void loadOlder(id)}>
                  {words.retry}
                </button>
              </p>
            )}
            <div
              class="feed"
              ref={this.feed}
              {...(hasMessages ? asFeed(nameOf(other)) : {})}
              aria-busy={phase === "loading" || older === "loading"}
              onKeyDown={this.onKeyDown}
            >
              {numbers.map((number, index) => {
                const start = number * BLOCK;
                const inBlock = (seq: number) => Math.min(Math.max(seq, start), start + BLOCK);
                return (
                  <Block
                    key={number}
                    number={number}
                    messages={blocks.get(number)!}
                    previous={blocks.get(numbers[index - 1] ?? -1)?.at(-1)}
                    height={this.state.far.get(number)}
                    readSeq={inBlock(otherReadSeq)}
                    deliveredSeq={inBlock(otherDeliveredSeq)}
                    firstNew={blockOf(firstNew) === number ? firstNew : 0}
                    today={today}
                  />
                );
              })}
              {pending.length > 0 && (
                <div>
                  {pending.map((entry, index) => (
                    <PendingView key={entry.client_id} entry={entry} isNext={index > 0} />
                  ))}
                </div>
              )}
            </div>
          </div>
        </div>
        {!isAtEnd.value && (
          <button type="button" class="to-end" aria-label={words.toEnd} title={words.toEnd} onClick={this.toEnd}>
            <Icon name="down" />
            {conversation.unread > 0 && <span class="badge">{conversation.unread}</span>}
          </button>
        )}
      </div>
    );
  }
}

/** The other's first message from `from` on, or 0. */
function firstOfOther(blocks: ReadonlyMap<number, readonly Message[]>, numbers: readonly number[], from: number): number {
  if (from === 0) return 0;
  for (const number of numbers) {
    if (number < blockOf(from)) continue;
    const found = blocks.get(number)!.find(({ seq, sender_id }) => seq >= from && sender_id._id !== me.peek());
    if (found) return found.seq;
  }
  return 0;
}

/** An empty box has none of the articles that the role promises. */
function asFeed(name: string) {
  const label = say("messagesWith", { name });
  return { role: "feed" as const, tabIndex: 0, "aria-label": label, "aria-description": text().feedHelp };
}

interface BlockProps {
  number: number;
  messages: readonly Message[];
  previous: Message | undefined;
  /** Of the empty box that it is; undefined if its messages are shown. */
  height: number | undefined;
  readSeq: number;
  deliveredSeq: number;
  firstNew: number;
  today: number;
}

/** Rendered again only when one of its own values changed. */
class Block extends Component<BlockProps> {
  override shouldComponentUpdate(next: BlockProps): boolean {
    const names = Object.keys(next) as (keyof BlockProps)[];
    return names.some((name) => next[name] !== this.props[name]);
  }

  override render({ number, messages, previous, height, readSeq, deliveredSeq, firstNew }: BlockProps) {
    if (height !== undefined) return <div data-block={number} style={{ height: `${height}px` }} />;
    return (
      <div data-block={number}>
        {messages.map((message, index) => (
          <MessageView
            key={message.seq}
            message={message}
            previous={messages[index - 1] ?? previous}
            isRead={message.is_read || message.seq <= readSeq}
            isDelivered={message.seq <= deliveredSeq}
            isFirstNew={message.seq === firstNew}
          />
        ))}
      </div>
    );
  }
}

function Skeleton() {
  return (
    <div class="timeline-skeleton" aria-hidden="true">
      {["s", "m", "l mine", "s mine", "m", "m mine"].map((size) => (
        <span key={size} class={`skeleton skeleton-bubble ${size}`} />
      ))}
    </div>
  );
}
