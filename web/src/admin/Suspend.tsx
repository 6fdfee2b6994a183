// The dialog that suspends a user: why, and for how long.
import { useState } from "preact/hooks";
import { Ask } from "../views/Ask";
import { TextArea } from "../views/TextArea";
import { suspend } from "./api";
import { attempt } from "./attempt";
import { parts, words } from "./words";

type Span = "day" | "week" | "month" | "date" | "ever";

const DAYS: Readonly<Partial<Record<Span, number>>> = { day: 1, week: 7, month: 30 };

/** When a span ends that begins now; undefined without an end, null if the day is none or has passed. */
export function endOf(span: Span, day: string, now: Date): string | undefined | null {
  if (span === "ever") return undefined;
  const days = DAYS[span];
  if (days !== undefined) return new Date(now.getTime() + days * 86_400_000).toISOString();
  const end = new Date(`${day}T23:59:59`);
  return Number.isNaN(end.getTime()) || end <= now ? null : end.toISOString();
}

interface SuspendProps {
  user: string;
  name: string;
  onDone: () => void;
  onClose: () => void;
}

export function Suspend({ user, name, onDone, onClose }: SuspendProps) {
  const [reason, setReason] = useState("");
  const [span, setSpan] = useState<Span>("week");
  const [day, setDay] = useState("");
  const spans: readonly [Span, string][] = [
    ["day", words.untilDay],
    ["week", words.untilWeek],
    ["month", words.untilMonth],
    ["date", words.untilDate],
    ["ever", words.untilEver],
  ];
  async function action(): Promise<string | undefined> {
    const until = endOf(span, day, new Date());
    if (until === null) return words.dateNeeded;
    return attempt(suspend(user, reason.trim(), until).then(onDone), words.didSuspend);
  }
  return (
    <Ask
      title={parts("suspendTitle", { name: <bdi>{name}</bdi> })}
      question={words.suspendText}
      confirm={words.suspend}
      isDangerous
      onClose={onClose}
      action={action}
    >
      <TextArea id="reason" label={words.reasonLabel} value={reason} onInput={setReason} />
      <div class="field">
        <label for="span">{words.untilLabel}</label>
        <select id="span" class="input" value={span} onChange={(event) => setSpan(event.currentTarget.value as Span)}>
          {spans.map(([value, label]) => (
            <option key={value} value={value}>
              {label}
            </option>
          ))}
        </select>
      </div>
      {span === "date" && (
        <div class="field">
          <label for="day">{words.dateLabel}</label>
          <input id="day" type="date" class="input" value={day} onInput={(event) => setDay(event.currentTarget.value)} />
        </div>
      )}
    </Ask>
  );
}
