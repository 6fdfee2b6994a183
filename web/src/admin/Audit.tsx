// The audit: what moderators and the platform changed.
import { useEffect, useMemo } from "preact/hooks";
import { fullTime } from "../format";
import { audit } from "./api";
import { List } from "./list";
import { Loaded, Nothing, Who } from "./parts";
import { userPath } from "./route";
import type { AuditEntry } from "./types";
import { words } from "./words";

export function Audit() {
  const list = useMemo(() => new List<AuditEntry>((after) => audit(after)), []);
  useEffect(() => void list.load(), [list]);
  return (
    <>
      <div class="admin-heading">
        <h1>{words.audit}</h1>
      </div>
      <p class="admin-hint">{words.auditHint}</p>
      <Loaded list={list} empty={<Nothing title={words.auditNothing} />}>
        <table class="audit">
          <thead>
            <tr>
              <th scope="col">{words.when}</th>
              <th scope="col">{words.who}</th>
              <th scope="col">{words.what}</th>
              <th scope="col">{words.target}</th>
              <th scope="col">{words.details}</th>
            </tr>
          </thead>
          <tbody>
            {list.items.value.map((entry) => (
              <tr key={entry._id}>
                <td data-label={words.when}>
                  <time dateTime={entry.at}>{fullTime(entry.at)}</time>
                </td>
                <td data-label={words.who}>
                  <Who by={entry.by} />
                </td>
                <td data-label={words.what}>
                  <code>{entry.action}</code>
                </td>
                <td data-label={words.target}>
                  <Target entry={entry} />
                </td>
                <td data-label={words.details}>{entry.details && <code>{JSON.stringify(entry.details)}</code>}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </Loaded>
    </>
  );
}

/** What was changed; a user can be looked at. */
function Target({ entry }: { entry: AuditEntry }) {
  if (!entry.target) return null;
  if (!entry.action.startsWith("user.")) return <code>{entry.target}</code>;
  return (
    <a class="person" href={userPath(entry.target)}>
      <code>{entry.target}</code>
    </a>
  );
}
