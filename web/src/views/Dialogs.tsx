// What is asked in the middle of the page.
import { useState } from "preact/hooks";
import { explain, say, text } from "../language";
import type { Message } from "../protocol";
import { block, dialog, remove, report } from "../state/actions";
import { open } from "../state/conversations";
import { conversationPath, go } from "../state/route";
import { session } from "../state/session";
import { Modal } from "./parts";

const close = () => void (dialog.value = null);

export function Dialogs() {
  const { value } = dialog;
  if (!value || !session.value) return null;
  const words = text();
  switch (value.kind) {
    case "new":
      return <NewConversation />;
    case "report":
      return <Report message={value.message} />;
    case "delete": {
      const { message } = value;
      return (
        <Ask
          title={words.removeTitle}
          question={words.removeText}
          confirm={words.remove}
          isDangerous
          action={() => remove(message)}
        />
      );
    }
    case "block": {
      const { user, name } = value;
      return (
        <Ask
          title={say("blockTitle", { name })}
          question={words.blockText}
          confirm={say("block", { name })}
          isDangerous
          action={() => block(user)}
        />
      );
    }
  }
}

interface AskProps {
  title: string;
  question: string;
  confirm: string;
  isDangerous?: boolean;
  isDisabled?: boolean;
  /** Answers why it could not be done. */
  action: () => Promise<string | undefined>;
  children?: preact.ComponentChildren;
}

function Ask({ title, question, confirm, isDangerous, action, children }: AskProps) {
  const [problem, setProblem] = useState("");
  async function submit(event: Event): Promise<void> {
    event.preventDefault();
    const refused = await action();
    if (refused) setProblem(refused);
    else close();
  }
  return (
    <Modal title={title} onClose={close}>
      <form class="form" noValidate onSubmit={(event) => void submit(event)}>
        <p class="modal-text">{question}</p>
        {children}
        <div role="alert">{problem && <p class="problem">{problem}</p>}</div>
        <div class="modal-buttons">
          <button type="button" class="button" onClick={close}>
            {text().cancel}
          </button>
          <button type="submit" class={isDangerous ? "button danger" : "button primary"}>
            {confirm}
          </button>
        </div>
      </form>
    </Modal>
  );
}

function NewConversation() {
  const [person, setPerson] = useState("");
  const words = text();
  async function begin(): Promise<string | undefined> {
    try {
      go(conversationPath(await open(person.trim())));
      return undefined;
    } catch (error) {
      return explain(error);
    }
  }
  return (
    <Ask title={words.newConversation} question={words.personHint} confirm={words.startConversation} action={begin}>
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
    </Ask>
  );
}

function Report({ message }: { message: Message }) {
  const [reason, setReason] = useState("");
  const words = text();
  return (
    <Ask
      title={words.reportTitle}
      question={words.reportHint}
      confirm={words.reportSend}
      isDangerous
      action={() => report(message, reason)}
    >
      <blockquote class="quote">{message.text}</blockquote>
      <div class="field">
        <label for="reason">{words.reportReason}</label>
        <textarea
          id="reason"
          class="input"
          autoFocus
          rows={3}
          maxLength={1000}
          value={reason}
          onInput={(event) => setReason(event.currentTarget.value)}
        />
      </div>
    </Ask>
  );
}
