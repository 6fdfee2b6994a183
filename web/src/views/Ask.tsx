// A dialog that asks before something is done.
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { text } from "../language";
import { Modal } from "./parts";

interface AskProps {
  title: ComponentChildren;
  question: string;
  confirm: ComponentChildren;
  isDangerous?: boolean;
  onClose: () => void;
  /** Answers why it could not be done. */
  action: () => Promise<string | undefined>;
  children?: ComponentChildren;
}

export function Ask({ title, question, confirm, isDangerous, onClose, action, children }: AskProps) {
  const [problem, setProblem] = useState("");
  async function submit(event: Event): Promise<void> {
    event.preventDefault();
    const refused = await action();
    if (refused) setProblem(refused);
    else onClose();
  }
  return (
    <Modal title={title} onClose={onClose}>
      <form class="form" noValidate onSubmit={(event) => void submit(event)}>
        <p class="modal-text">{question}</p>
        {children}
        <div role="alert">{problem && <p class="problem">{problem}</p>}</div>
        <div class="modal-buttons">
          <button type="button" class="button" onClick={onClose}>
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
