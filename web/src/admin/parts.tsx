// Small parts of the moderation page.
import type { ComponentChildren } from "preact";
import { fullTime, shortTime } from "../format";
import type { Profile } from "../protocol";
import { Avatar, Empty } from "../views/parts";
import type { List } from "./list";
import { userPath } from "./route";
import type { Actor } from "./types";
import { fill, words } from "./words";

/** A time; the whole of it where one points at it. */
export function When({ at }: { at: string }) {
  return (
    <time dateTime={at} title={fullTime(at)}>
      {shortTime(at)}
    </time>
  );
}

/** A user's name, which leads to the user; without a name their id. */
export function Person({ profile }: { profile: Profile }) {
  return (
    <a class="person" href={userPath(profile._id)}>
      <bdi>{profile.full_name ?? profile._id}</bdi>
    </a>
  );
}

export function PersonWithPicture({ profile }: { profile: Profile }) {
  return (
    <span class="person-row">
      <Avatar profile={profile} />
      <Person profile={profile} />
    </span>
  );
}

export function Who({ by }: { by: Actor }) {
  if (by.key !== undefined) return <>{fill("platformKey", { number: by.key })}</>;
  if (by.user_id) return <Person profile={{ _id: by.user_id, full_name: null }} />;
  return <>{words.unknownActor}</>;
}

interface LoadedProps<Item extends { _id: string }> {
  list: List<Item>;
  /** What is shown when there is nothing. */
  empty: ComponentChildren;
  children: ComponentChildren;
}

/** A list's items, and what is said while it loads, when that failed, and when there are none. */
export function Loaded<Item extends { _id: string }>({ list, empty, children }: LoadedProps<Item>) {
  const state = list.state.value;
  const isEmpty = list.items.value.length === 0;
  return (
    <>
      {isEmpty && state === "ready" ? empty : children}
      <div role="status">{state === "loading" && <p class="admin-loading">{words.loading}</p>}</div>
      <div role="alert">
        {state === "failed" && (
          <p class="problem">
            {words.failed} {list.problem.value}
          </p>
        )}
      </div>
      {(state === "failed" || (state === "ready" && list.cursor.value !== undefined)) && (
        <button type="button" class="button wide" onClick={() => void list.more()}>
          {state === "failed" ? words.tryAgain : words.more}
        </button>
      )}
    </>
  );
}

export function Nothing({ title, text }: { title: string; text?: string }) {
  return <Empty icon="check" title={title} words={text} />;
}
