// A message: the day if it is the first of one, the bubble, and the menu.
import { day, dayOf, fullTime, time } from "../format";
import { refusal, say, text } from "../language";
import { pieces } from "../links";
import type { Message, Quote } from "../protocol";
import { copy } from "../page/actions";
import { focusComposer, startEditing, startReply } from "../page/composer";
import { dialog } from "../page/dialogs";
import { serverClock } from "../state/clock";
import { takeBack } from "../state/drafts";
import { type Pending, canKeepId, remove, retry } from "../state/outbox";
import { me } from "../state/session";
import { Icon, Ticks } from "./icons";
import { type MenuItem, openMenu } from "./menu";
import { nameOf } from "./parts";

/** Messages of one person within this time are grouped; milliseconds. */
const TOGETHER = 5 * 60_000;

interface Props {
  message: Message;
  previous: Message | undefined;
  isRead: boolean;
  isDelivered: boolean;
  isFirstNew: boolean;
}

export function MessageView({ message, previous, isRead, isDelivered, isFirstNew }: Props) {
  const words = text();
  const isMine = message.sender_id._id === me.peek();
  const isSystem = message.type === "system";
  const isDeleted = message.deleted_at !== undefined;
  const sentAt = new Date(message.sent_at);
  const before = previous && new Date(previous.sent_at);
  const isNewDay = !before || dayOf(before) !== dayOf(sentAt);
  const isNextOfSame =
    !isNewDay &&
    !isFirstNew &&
    previous.sender_id._id === message.sender_id._id &&
    sentAt.getTime() - before.getTime() < TOGETHER;
  const status = isRead ? words.read : isDelivered ? words.delivered : words.sent;
  const who = isMine ? words.you : nameOf(message.sender_id);
  const quoted = message.reply_to && !isDeleted ? ` (${say("inReplyTo", { text: quotedText(message.reply_to) })})` : "";
  const label = `${who}, ${time(message.sent_at)}: ${isDeleted ? words.deleted : message.text}${quoted}`;
  return (
    <>
      {isNewDay && (
        <div class="day">
          <span>{day(message.sent_at)}</span>
        </div>
      )}
      {isFirstNew && (
        <div class="new-line">
          <span>{words.newMessages}</span>
        </div>
      )}
      <article
        class={`message${isSystem ? " system" : isMine ? " mine" : ""}${isNextOfSame ? " next" : ""}`}
        data-seq={message.seq}
        aria-posinset={message.seq}
        aria-setsize={-1}
        aria-label={isMine && !isDeleted ? `${label} (${status})` : label}
        tabIndex={-1}
      >
        <div class={isDeleted ? "bubble deleted" : "bubble"}>
          {isSystem && !isNextOfSame && <span class="system-name">{who}</span>}
          {message.reply_to && !isDeleted && <Quoted quote={message.reply_to} />}
          {isDeleted ? <p>{words.deleted}</p> : <Words words={message.text} />}
          <span class="meta" title={fullTime(message.sent_at)}>
            {message.edited_at && !isDeleted && <span>{words.edited}</span>}
            <time dateTime={message.sent_at}>{time(message.sent_at)}</time>
            {isMine && !isDeleted && (
              <span class="status" title={status} data-status={isRead ? "read" : isDelivered ? "delivered" : "sent"}>
                <Ticks count={isRead || isDelivered ? 2 : 1} isRead={isRead} />
              </span>
            )}
          </span>
        </div>
        {!isDeleted && (
          <button
            type="button"
            class="icon-button message-more"
            aria-label={words.messageActions}
            aria-haspopup="menu"
            tabIndex={-1}
            onClick={(event) => openMenu(event.currentTarget, words.messageActions, messageMenu(message))}
          >
            <Icon name="more" />
          </button>
        )}
      </article>
    </>
  );
}

const quotedText = (quote: Quote) => quote.text || text().deleted;

/** What a message replies to, on one line. */
export function Quoted({ quote }: { quote: Quote }) {
  return (
    <blockquote class={quote.sender_id === me.peek() ? "reply-quote reply-quote-mine" : "reply-quote"} dir="auto">
      {quotedText(quote)}
    </blockquote>
  );
}

function Words({ words }: { words: string }) {
  return (
    <p dir="auto">
      {pieces(words).map(({ text: piece, link }) =>
        link ? (
          <a href={link} dir="ltr" target="_blank" rel="noopener noreferrer nofollow ugc">
            {piece}
          </a>
        ) : (
          piece
        ),
      )}
    </p>
  );
}

export const canChange = (message: Message) =>
  message.sender_id._id === me.peek() &&
  message.deleted_at === undefined &&
  serverClock.canEdit(message.sent_at);

export function messageMenu(message: Message): MenuItem[] {
  const words = text();
  if (message.deleted_at !== undefined) return [];
  const items: MenuItem[] = [
    { icon: "reply", label: words.reply, action: () => startReply(message) },
    { icon: "copy", label: words.copy, action: () => void copy(message.text) },
  ];
  if (canChange(message)) {
    items.push({ icon: "pencil", label: words.edit, action: () => startEditing(message) });
    const ask = () => (dialog.value = { kind: "delete", message });
    items.push({ icon: "trash", label: words.remove, isDangerous: true, action: ask });
  }
  // What the platform says is reported to nobody.
  if (message.sender_id._id !== me.peek() && message.type !== "system") {
    const ask = () => (dialog.value = { kind: "report", message });
    items.push({ icon: "flag", label: words.report, isDangerous: true, action: ask });
  }
  return items;
}

/** A message that is not stored yet, or was refused. */
export function PendingView({ entry, isNext }: { entry: Pending; isNext: boolean }) {
  const words = text();
  const status = entry.refusal ? words.notSent : words.waiting;
  function back(): void {
    remove(entry.client_id);
    takeBack(entry.conversation_id, entry, canKeepId(entry));
    focusComposer();
  }
  return (
    <article
      class={`message mine ${entry.refusal ? "refused" : "pending"}${isNext ? " next" : ""}`}
      aria-label={`${words.you}: ${entry.text} (${status})`}
      tabIndex={-1}
    >
      <div class="bubble">
        {entry.reply_to && <Quoted quote={entry.reply_to} />}
        <Words words={entry.text} />
        <span class="meta">
          <span class="status" title={status} data-status={entry.refusal ? "refused" : "waiting"}>
            <Icon name={entry.refusal ? "alert" : "clock"} />
          </span>
        </span>
      </div>
      {entry.refusal && (
        <div class="refusal" role="alert">
          <p>{say("notSentBecause", { reason: refusal(entry.refusal) })}</p>
          <button type="button" class="link" onClick={() => retry(entry)}>
            {words.retry}
          </button>
          <button type="button" class="link" onClick={back}>
            {words.editAgain}
          </button>
          <button type="button" class="link" onClick={() => remove(entry.client_id)}>
            {words.discard}
          </button>
        </div>
      )}
    </article>
  );
}
