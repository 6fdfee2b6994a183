// A report: who complains of what, what was said around it, and what can be done.
import { useLayoutEffect, useRef } from "preact/hooks";
import type { Message, Profile } from "../protocol";
import { fullTime } from "../format";
import { Icon } from "../views/icons";
import { dialog } from "./dialog";
import { Person, PersonWithPicture, When, Who } from "./parts";
import type { Report, ReportState } from "./types";
import { fill, parts, words } from "./words";

interface ReportProps {
  report: Report;
  onChanged: (report: Report) => void;
}

export function ReportCard({ report, onChanged }: ReportProps) {
  const { message } = report;
  const said = useRef<HTMLOListElement>(null);
  // What was said before may fill the list: it begins with the reported message in its middle.
  useLayoutEffect(() => {
    const list = said.current!;
    const reported = list.querySelector<HTMLElement>(".said-reported")!;
    list.scrollTop = reported.offsetTop - list.offsetTop - (list.clientHeight - reported.offsetHeight) / 2;
  }, []);
  const sender = message.sender_id;
  const title = `report-${report._id}`;
  const decideAs = (state: ReportState) => (dialog.value = { kind: "decide", report, state, onDone: onChanged });
  const markDeleted = () => onChanged({ ...report, message: { ...message, deleted_at: new Date().toISOString() } });
  const isOpen = report.state === "open";
  return (
    <article class="report" aria-labelledby={title}>
      <header class="report-head">
        <h2 id={title}>
          {parts("reportOf", {
            reporter: <Person profile={report.reporter} />,
            sender: <Person profile={sender} />,
          })}
        </h2>
        <p class="report-when">{parts("reportedAt", { when: <When at={report.reported_at} /> })}</p>
      </header>
      <dl class="facts">
        <dt>{words.reason}</dt>
        <dd dir="auto">{report.reason}</dd>
        {report.note && (
          <>
            <dt>{words.note}</dt>
            <dd dir="auto">{report.note}</dd>
          </>
        )}
      </dl>
        <ol ref={said} class="said" tabIndex={0} aria-label={words.said}>
          {report.before.length === 0 && <li class="said-nothing">{words.earlier}</li>}
          {report.before.map((one) => (
            <Said key={one._id} message={one} reported={sender} />
          ))}
          <li class="said-line said-reported">
            <span class="said-label">
              <Icon name="flag" />
              {words.reportedMessage}
            </span>
            <Head sender={sender} at={message.sent_at} />
            <p dir="auto">{message.text}</p>
            {message.deleted_at && <p class="said-mark">{fill("deletedSince", { when: fullTime(message.deleted_at) })}</p>}
            {message.edited_at && !message.deleted_at && (
              <p class="said-mark">{fill("editedSince", { when: fullTime(message.edited_at) })}</p>
            )}
          </li>
          {report.after.map((one) => (
            <Said key={one._id} message={one} reported={sender} />
          ))}
        </ol>
      {report.decided_at && report.decided_by && (
        <p class="report-when">
          {parts(isOpen ? "reopenedBy" : "decidedBy", {
            state: words[report.state],
            who: <Who by={report.decided_by} />,
            when: <When at={report.decided_at} />,
          })}
        </p>
      )}
      <div class="report-actions">
        {isOpen ? (
          <>
            <button type="button" class="button primary" onClick={() => decideAs("resolved")}>
              {words.resolve}
            </button>
            <button type="button" class="button" onClick={() => decideAs("dismissed")}>
              {words.dismiss}
            </button>
          </>
        ) : (
          <button type="button" class="button" onClick={() => decideAs("open")}>
            {words.reopen}
          </button>
        )}
        {!message.deleted_at && (
          <button
            type="button"
            class="button"
            onClick={() => (dialog.value = { kind: "delete", message: message._id, onDone: markDeleted })}
          >
            <Icon name="trash" />
            {words.deleteMessage}
          </button>
        )}
        <button
          type="button"
          class="button"
          onClick={() =>
            (dialog.value = { kind: "suspend", user: sender._id, name: sender.full_name ?? sender._id, onDone: () => {} })
          }
        >
          <Icon name="block" />
          {words.suspendSender}
        </button>
      </div>
    </article>
  );
}

function Said({ message, reported }: { message: Message; reported: Profile }) {
  const isTheirs = message.sender_id._id === reported._id;
  return (
    <li class={isTheirs ? "said-line said-theirs" : "said-line"}>
      <Head sender={message.sender_id} at={message.sent_at} />
      {message.deleted_at ? <p class="said-mark">{words.deletedMessage}</p> : <p dir="auto">{message.text}</p>}
      {message.edited_at && !message.deleted_at && <p class="said-mark">{words.edited}</p>}
    </li>
  );
}

function Head({ sender, at }: { sender: Profile; at: string }) {
  return (
    <span class="said-head">
      <PersonWithPicture profile={sender} />
      <When at={at} />
    </span>
  );
}
