// The reports in one state.
import { useEffect, useMemo } from "preact/hooks";
import { IconButton } from "../views/parts";
import { reports } from "./api";
import { List } from "./list";
import { Loaded, Nothing } from "./parts";
import { ReportCard } from "./ReportCard";
import type { Report, ReportState } from "./types";
import { words } from "./words";

const STATES: readonly ReportState[] = ["open", "resolved", "dismissed"];

export function Reports({ state }: { state: ReportState }) {
  const list = useMemo(() => new List<Report>((after) => reports(state, after)), [state]);
  useEffect(() => void list.load(), [list]);
  const empty =
    state === "open" ? (
      <Nothing title={words.nothingOpen} text={words.nothingOpenText} />
    ) : (
      <Nothing title={words.nothing} text={words.nothingText} />
    );
  return (
    <>
      <div class="admin-heading">
        <h1>{words.reports}</h1>
        <IconButton icon="retry" label={words.refresh} onClick={() => void list.load()} />
      </div>
      <nav class="tabs" aria-label={words.states}>
        {STATES.map((one) => (
          <a key={one} href={`#/${one}`} {...(one === state ? { "aria-current": "page" as const } : {})}>
            {words[one]}
          </a>
        ))}
      </nav>
      <Loaded list={list} empty={empty}>
        <ul class="reports">
          {list.items.value.map((report) => (
            <li key={report._id}>
              <ReportCard
                report={report}
                onChanged={(next) => (next.state === state ? list.replace(next) : list.remove(next._id))}
              />
            </li>
          ))}
        </ul>
      </Loaded>
    </>
  );
}
