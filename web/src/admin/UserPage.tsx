// A user: what the account says, and its suspension.
import { useEffect, useState } from "preact/hooks";
import { day } from "../format";
import { explain } from "../language";
import { Avatar } from "../views/parts";
import { user as load } from "./api";
import { dialog } from "./dialog";
import { isSuspended, statusOf } from "./status";
import type { User } from "./types";
import { words } from "./words";

export function UserPage({ id }: { id: string }) {
  const [user, setUser] = useState<User>();
  const [problem, setProblem] = useState("");
  async function show(): Promise<void> {
    setProblem("");
    try {
      setUser(await load(id));
    } catch (error) {
      setProblem(explain(error));
    }
  }
  useEffect(() => void show(), [id]);
  const name = user?.full_name ?? id;
  const ask = (kind: "suspend" | "lift") =>
    (dialog.value = { kind, user: id, name, onDone: () => void show() });
  const facts: readonly [string, string | null | undefined][] = user
    ? [
        [words.userId, user._id],
        [words.email, user.email],
        [words.phone, user.phone],
        [words.role, user.role === "admin" ? words.roleAdmin : words.roleSeller],
        [words.since, user.created_at && day(user.created_at)],
        [words.status, statusOf(user)],
        [words.reason, isSuspended(user) ? user.suspension?.reason : undefined],
      ]
    : [];
  return (
    <>
      <p>
        <a class="link" href="#/users">
          {words.backToUsers}
        </a>
      </p>
      <div class="admin-heading">
        {user && <Avatar profile={user} />}
        <h1>
          <bdi>{name}</bdi>
        </h1>
      </div>
      <div role="status">{!user && !problem && <p class="admin-loading">{words.loading}</p>}</div>
      <div role="alert">{problem && <p class="problem">{problem}</p>}</div>
      {user && (
        <>
          <dl class="facts user-facts">
            {facts.map(
              ([label, value]) =>
                value && (
                  <div key={label}>
                    <dt>{label}</dt>
                    <dd dir="auto">{value}</dd>
                  </div>
                ),
            )}
          </dl>
          {!user.is_deleted && (
            <div class="report-actions">
              {isSuspended(user) ? (
                <button type="button" class="button" onClick={() => ask("lift")}>
                  {words.lift}
                </button>
              ) : (
                <button type="button" class="button danger" onClick={() => ask("suspend")}>
                  {words.suspend}
                </button>
              )}
            </div>
          )}
        </>
      )}
    </>
  );
}
