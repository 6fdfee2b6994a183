// The dialogs.
import { useRef, useState } from "preact/hooks";
import { explain, text } from "../language";
import type { Message } from "../protocol";
import { block, remove, report } from "../page/actions";
import { type Dialog, dialog } from "../page/dialogs";
import { conversationPath, go } from "../page/route";
import { open } from "../state/conversations";
import { session } from "../state/session";
import { Ask } from "./Ask";
import { Said } from "./parts";
import { TextArea } from "./TextArea";

export function Dialogs() {
  const { value } = dialog;
  // Each opening is a dialog of its own, even if the event of the last one's end has not come yet.
  const shown = useRef({ value, number: 0 });
  if (shown.current.value !== value) shown.current = { value, number: shown.current.number + 1 };
  return value && session.value && <Opened key={shown.current.number} value={value} />;
}

function Opened({ value }: { value: Dialog }) {
  const words = text();
  const onClose = () => {
    if (dialog.peek() === value) dialog.value = null;
  };
  switch (value.kind) {
    case "new":
      return <NewConversation onClose={onClose} />;
    case "report":
      return <Report message={value.message} onClose={onClose} />;
    case "delete": {
      const { message } = value;
      return (
        <Ask
          title={words.removeTitle}
          question={words.removeText}
          confirm={words.remove}
          isDangerous
          onClose={onClose}
          action={() => remove(message)}
        />
      );
    }
    case "block": {
      const { user, name } = value;
      return (
        <Ask
          title={<Said of="blockTitle" name={name} />}
          question={words.blockText}
          confirm={<Said of="block" name={name} />}
          isDangerous
          onClose={onClose}
          action={() => block(user)}
        />
      );
    }
  }
}

function NewConversation({ onClose }: { onClose: () => void }) {
  const [person, setPerson] = useState("");
  const words = text();
  async function begin(): Promise<string | undefined> {
    if (!person.trim()) return words.personNeeded;
    try {
      go(conversationPath(await open(person.trim())));
      return undefined;
    } catch (error) {
      return explain(error);
    }
  }
  return (
    <Ask
      title={words.newConversation}
      question={words.personHint}
      confirm={words.startConversation}
      onClose={onClose}
      action={begin}
    >
      <div class="field">
        <label for="person">{words.personLabel}</label>
        <input
          id="person"
          class="input"
          autoFocus
          autocomplete="off"
          autocapitalize="off"
          spellcheck={false}
          value={person}
          onInput={(event) => setPerson(event.currentTarget.value)}
        />
      </div>
      <p class="modal-text">
        {words.ownId} <code class="own-id">{session.value?.user.id}</code>
      </p>
    </Ask>
  );
}

function Report({ message, onClose }: { message: Message; onClose: () => void }) {
  const [reason, setReason] = useState("");
  const words = text();
  return (
    <Ask
      title={words.reportTitle}
      question={words.reportHint}
      confirm={words.reportSend}
      isDangerous
      onClose={onClose}
      action={() => report(message, reason)}
    >
      <blockquote class="quote" dir="auto">{message.text}</blockquote>
      <TextArea id="reason" label={words.reportReason} value={reason} onInput={setReason} />
    </Ask>
  );
}
