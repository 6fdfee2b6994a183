// The users: found by name, e-mail or id.
import { signal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import { Empty } from "../views/parts";
import { findUsers } from "./api";
import { List } from "./list";
import { Loaded, PersonWithPicture } from "./parts";
import { statusOf } from "./status";
import type { User } from "./types";
import { fill, words } from "./words";

/** What stands in the field, and what is looked for; kept while one looks at a user. */
const query = signal("");
const sought = signal("");

export function Users() {
  const list = useMemo(() => new List<User>((after) => findUsers(sought.peek(), after)), []);
  useEffect(() => void list.load(), [list]);
  const empty = <Empty icon="search" title={fill("nobody", { query: sought.value })} />;
  return (
    <>
      <div class="admin-heading">
        <h1>{words.users}</h1>
      </div>
      <form
        class="find"
        role="search"
        onSubmit={(event) => {
          event.preventDefault();
          sought.value = query.peek().trim();
          void list.load();
        }}
      >
        <div class="field">
          <label for="query">{words.findUser}</label>
          <input
            id="query"
            type="search"
            class="input"
            autocomplete="off"
            autocapitalize="off"
            spellcheck={false}
            maxLength={254}
            value={query.value}
            onInput={(event) => (query.value = event.currentTarget.value)}
          />
        </div>
        <button type="submit" class="button primary">
          {words.find}
        </button>
      </form>
      <Loaded list={list} empty={empty}>
        <ul class="users" aria-label={words.allUsers}>
          {list.items.value.map((user) => (
            <li key={user._id} class="user-row">
              <PersonWithPicture profile={user} />
              <span class="user-mail">{user.email}</span>
              <span class="user-status">{statusOf(user)}</span>
            </li>
          ))}
        </ul>
      </Loaded>
    </>
  );
}
