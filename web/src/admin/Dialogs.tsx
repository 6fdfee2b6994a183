// The dialogs: a decision on a report, the end of a message, a suspension and its end.
import { useRef, useState } from "preact/hooks";
import { session } from "../state/session";
import { Ask } from "../views/Ask";
import { TextArea } from "../views/TextArea";
import { decide, liftSuspension, removeMessage } from "./api";
import { attempt } from "./attempt";
import { type Dialog, dialog } from "./dialog";
import { Suspend } from "./Suspend";
import type { ReportState } from "./types";
import { parts, words } from "./words";

export function Dialogs() {
  const { value } = dialog;
  // Each opening is a dialog of its own, even if the event of the last one's end has not come yet.
  const shown = useRef({ value, number: 0 });
  if (shown.current.value !== value) shown.current = { value, number: shown.current.number + 1 };
  return value && session.value && <Opened key={shown.current.number} value={value} />;
}

function Opened({ value }: { value: Dialog }) {
  const onClose = () => {
    if (dialog.peek() === value) dialog.value = null;
  };
  switch (value.kind) {
    case "decide":
      return <Decide value={value} onClose={onClose} />;
    case "delete":
      return (
        <Ask
          title={words.deleteTitle}
          question={words.deleteText}
          confirm={words.deleteMessage}
          isDangerous
          onClose={onClose}
          action={() => attempt(removeMessage(value.message).then(value.onDone), words.didDelete)}
        />
      );
    case "suspend":
      return <Suspend user={value.user} name={value.name} onDone={value.onDone} onClose={onClose} />;
    case "lift":
      return (
        <Ask
          title={parts("liftTitle", { name: <bdi>{value.name}</bdi> })}
          question={words.liftText}
          confirm={words.lift}
          onClose={onClose}
          action={() => attempt(liftSuspension(value.user).then(value.onDone), words.didLift)}
        />
      );
  }
}

/** What the dialog of a decision says: its title, its question, its button, and what is said when it was made. */
const DECISIONS: Readonly<Record<ReportState, readonly [string, string, string, string]>> = {
  open: [words.reopenTitle, words.reopenText, words.reopen, words.didReopen],
  resolved: [words.resolveTitle, words.resolveText, words.resolve, words.didResolve],
  dismissed: [words.dismissTitle, words.dismissText, words.dismiss, words.didDismiss],
};

function Decide({ value, onClose }: { value: Dialog & { kind: "decide" }; onClose: () => void }) {
  const { report, state, onDone } = value;
  const [note, setNote] = useState(report.note ?? "");
  const [title, question, confirm, done] = DECISIONS[state];
  // A note that was not touched is not sent: another admin may have changed it meanwhile.
  const changed = note.trim() === (report.note ?? "") ? undefined : note.trim();
  return (
    <Ask
      title={title}
      question={question}
      confirm={confirm}
      onClose={onClose}
      action={() => attempt(decide(report._id, state, changed).then(onDone), done)}
    >
      <TextArea id="note" label={words.noteLabel} value={note} onInput={setNote} />
    </Ask>
  );
}
