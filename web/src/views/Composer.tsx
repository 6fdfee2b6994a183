// The field: Enter sends, Shift+Enter breaks the line, an arrow up in an empty field edits the last message.
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { EnterKey, isTaken } from "../enter";
import { refusal, say, text } from "../language";
import { MAX_TEXT, type Message } from "../protocol";
import { edit, tryUnblock } from "../page/actions";
import { editing, focusComposer, focusRequest, replyingTo, startEditing, stopReplying } from "../page/composer";
import type { Conversation } from "../state/conversations";
import { draft, setDraft, takeReturnedId } from "../state/drafts";
import { send } from "../state/outbox";
import { newFrom } from "../state/reading";
import { quote, timeline } from "../state/timelines";
import { stopTyping, typing } from "../state/typing";
import { Icon } from "./icons";
import { Quoted, canChange } from "./MessageView";
import { IconButton, Said, nameOf } from "./parts";

/** From so many characters on it is said how many are left. */
const COUNT_FROM = MAX_TEXT - 200;
const growsByItself = CSS.supports("field-sizing", "content");

export function Composer({ conversation }: { conversation: Conversation }) {
  const words = text();
  if (conversation.blockedByMe) {
    return (
      <div class="composer composer-closed">
        <p>
          <Said of="blockedByMe" name={nameOf(conversation.other)} />
        </p>
        <button type="button" class="button" onClick={() => void tryUnblock(conversation.other._id)}>
          {words.unblock}
        </button>
      </div>
    );
  }
  if (conversation.blockedByOther) {
    return (
      <div class="composer composer-closed">
        <p>{words.blockedByOther}</p>
      </div>
    );
  }
  return <Field id={conversation.id} />;
}

function Field({ id }: { id: string }) {
  const field = useRef<HTMLTextAreaElement>(null);
  const enter = useRef(new EnterKey());
  const [problem, setProblem] = useState("");
  const words = text();
  const edited = editing.value?.message.conversation_id === id ? editing.value : null;
  const reply = replyingTo.value?.conversation_id === id ? quote(replyingTo.value) : undefined;
  const value = edited ? edited.words : draft(id).value;
  const isTooLong = value.length > MAX_TEXT;
  const isEmpty = value.trim() === "";

  const asked = focusRequest.value;
  const askedBefore = useRef(asked);
  useEffect(() => {
    if (asked === askedBefore.current) return;
    askedBefore.current = asked;
    field.current?.focus();
    field.current?.setSelectionRange(value.length, value.length);
  }, [asked]);
  useEffect(
    () => () => {
      stopTyping();
      editing.value = null;
      replyingTo.value = null;
    },
    [],
  );
  useLayoutEffect(() => {
    if (growsByItself || !field.current) return;
    field.current.style.height = "auto";
    field.current.style.height = `${field.current.scrollHeight}px`;
  }, [value]);

  function change(next: string): void {
    setProblem("");
    if (edited) editing.value = { ...edited, words: next };
    else {
      setDraft(id, next);
      if (next.trim()) typing(id);
      else stopTyping();
    }
  }

  async function submit(): Promise<void> {
    if (isEmpty || isTooLong) return;
    if (edited) return save(edited.message);
    stopTyping();
    newFrom.value = 0;
    send(id, value, takeReturnedId(id, value), reply);
    replyingTo.value = null;
    setDraft(id, "");
  }

  async function save(message: Message): Promise<void> {
    const refused = value === message.text ? undefined : await edit(message, value);
    if (refused) setProblem(refusal(refused));
    else stopEditing();
  }

  function stopEditing(): void {
    editing.value = null;
    setProblem("");
    focusComposer();
  }

  function onKeyDown(event: KeyboardEvent): void {
    if (enter.current.onKeyDown(event)) {
      event.preventDefault();
      void submit();
    } else if (isTaken(event)) {
      return;
    } else if (event.key === "Escape" && edited) {
      stopEditing();
    } else if (event.key === "Escape" && reply) {
      stopReplying();
    } else if (event.key === "ArrowUp" && value === "") {
      const last = lastOwn(id);
      if (!last) return;
      event.preventDefault();
      startEditing(last);
    }
  }

  return (
    <form
      class="composer"
      onSubmit={(event) => {
        event.preventDefault();
        void submit();
        field.current?.focus();
      }}
    >
      {edited && (
        <div class="composer-editing">
          <Icon name="pencil" />
          <p>{words.editing}</p>
          <IconButton icon="close" label={words.cancel} onClick={stopEditing} />
        </div>
      )}
      {reply && (
        <div class="composer-editing">
          <Icon name="reply" />
          <Quoted quote={reply} />
          <IconButton icon="close" label={words.cancelReply} onClick={stopReplying} />
        </div>
      )}
      <div class="composer-row">
        <textarea
          ref={field}
          class="composer-field"
          rows={1}
          dir="auto"
          aria-label={words.write}
          placeholder={words.write}
          enterkeyhint="send"
          value={value}
          aria-invalid={isTooLong || problem !== ""}
          aria-describedby="composer-note"
          onInput={(event) => change(event.currentTarget.value)}
          onKeyDown={onKeyDown}
          onKeyUp={() => enter.current.onKeyUp()}
          onBeforeInput={(event) => {
            if (!enter.current.onBeforeInput(event)) return;
            event.preventDefault();
            void submit();
          }}
          onBlur={stopTyping}
        />
        <button
          type="submit"
          class="send-button"
          aria-label={edited ? words.save : words.send}
          title={edited ? words.save : words.send}
          aria-disabled={isEmpty || isTooLong}
        >
          <Icon name={edited ? "check" : "send"} />
        </button>
      </div>
      <p id="composer-note" class={isTooLong || problem ? "composer-note field-error" : "composer-note"} role="status">
        {problem ||
          (isTooLong && say("tooLong", { count: value.length - MAX_TEXT })) ||
          (value.length >= COUNT_FROM && say("left", { count: MAX_TEXT - value.length }))}
      </p>
    </form>
  );
}

/** The user's newest message, if it may still be changed. */
function lastOwn(conversation: string): Message | undefined {
  const { blocks } = timeline(conversation).peek();
  for (const number of [...blocks.keys()].sort((one, other) => other - one).slice(0, 2)) {
    const found = blocks.get(number)!.findLast(canChange);
    if (found) return found;
  }
  return undefined;
}
