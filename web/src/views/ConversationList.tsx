// The list of conversations: found by typing, pinned and then newest first, with who wrote last and what is unread.
import { signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { isTaken } from "../enter";
import { shortTime } from "../format";
import { say, text } from "../language";
import { notifications, toggleNotifications } from "../page/attention";
import { dialog, showToast } from "../page/dialogs";
import { conversationPath } from "../page/route";
import { signOut, signOutEverywhere } from "../state/accounts";
import { type Conversation, listPhase, listed, refresh } from "../state/conversations";
import { draft } from "../state/drafts";
import { outbox } from "../state/outbox";
import { session } from "../state/session";
import { openConversation } from "../state/shown";
import { Icon, type IconName, Mark } from "./icons";
import { type MenuItem, openMenu } from "./menu";
import { Avatar, Empty, IconButton, Said, nameOf } from "./parts";

const query = signal("");

/** Without marks and case, so that "lucia" finds "Lucía". */
const plain = (words: string) => words.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();

export function ConversationList() {
  const list = useRef<HTMLUListElement>(null);
  const wanted = plain(query.value.trim());
  const found = listed.value.filter(({ other, preview }) => plain(`${nameOf(other)} ${preview?.text ?? ""}`).includes(wanted));
  const words = text();

  useEffect(() => () => void (query.value = ""), []);

  function moveFocus(event: KeyboardEvent): void {
    if (isTaken(event) || (event.key !== "ArrowDown" && event.key !== "ArrowUp")) return;
    const rows = [...(list.current?.querySelectorAll("a") ?? [])];
    const index = rows.indexOf(document.activeElement as HTMLAnchorElement);
    const next = rows[index + (event.key === "ArrowDown" ? 1 : -1)];
    if (!next) return;
    event.preventDefault();
    next.focus();
  }

  return (
    <nav class="list-pane" aria-label={words.conversations}>
      <ListHeader />
      <div class="search">
        <Icon name="search" />
        <input
          type="search"
          class="input"
          aria-label={words.search}
          placeholder={words.search}
          value={query.value}
          onInput={(event) => (query.value = event.currentTarget.value)}
          onKeyDown={moveFocus}
        />
      </div>
      <div class="list-scroller">
        {listPhase.value === "loading" && <ListSkeleton />}
        {listPhase.value === "failed" && (
          <Empty icon="cloudOff" title={words.listFailed}>
            <button type="button" class="button" onClick={() => void refresh()}>
              {words.retry}
            </button>
          </Empty>
        )}
        {listPhase.value === "ready" && listed.value.length === 0 && (
          <Empty icon="chat" title={words.emptyTitle} words={words.emptyText}>
            <button type="button" class="button primary" onClick={() => (dialog.value = { kind: "new" })}>
              {words.startConversation}
            </button>
          </Empty>
        )}
        {listed.value.length > 0 && found.length === 0 && (
          <p class="list-nothing" role="status">
            <Said of="searchNothing" query={query.value.trim()} />
          </p>
        )}
        {found.length > 0 && (
          <ul ref={list} class="list" onKeyDown={moveFocus}>
            {found.map((conversation) => (
              <Row key={conversation.id} conversation={conversation} isOpen={conversation.id === openConversation.value} />
            ))}
          </ul>
        )}
      </div>
    </nav>
  );
}

function Row({ conversation, isOpen }: { conversation: Conversation; isOpen: boolean }) {
  const { id, other, online, at, unread, typing, muted, pinned } = conversation;
  const words = text();
  return (
    <li>
      <a class={unread ? "row row-unread" : "row"} href={conversationPath(id)} {...(isOpen ? { "aria-current": "page" as const } : {})}>
        <Avatar profile={other} online={online} />
        <bdi class="row-name">{nameOf(other)}</bdi>
        <span class="row-time">
          {pinned && <Setting icon="pin" label={words.pinned} />}
          {muted && <Setting icon="bellOff" label={words.muted} />}
          <time dateTime={at}>{shortTime(at)}</time>
        </span>
        <span class="row-preview">{typing ? <em>{words.typing}</em> : <Preview conversation={conversation} isOpen={isOpen} />}</span>
        {unread > 0 && (
          <span class="badge">
            <span aria-hidden="true">{unread > 99 ? "99+" : unread}</span>
            <span class="visually-hidden">
              {unread === 1 ? words.unreadOne : say("unreadMany", { count: unread })}
            </span>
          </span>
        )}
      </a>
    </li>
  );
}

function Setting({ icon, label }: { icon: IconName; label: string }) {
  return (
    <>
      <Icon name={icon} />
      <span class="visually-hidden">{label}</span>
    </>
  );
}

function Preview({ conversation: { id, preview }, isOpen }: { conversation: Conversation; isOpen: boolean }) {
  const words = text();
  const unsent = isOpen ? "" : draft(id).value.trim();
  if (unsent) {
    return (
      <>
        <Icon name="pencil" /> <bdi>{unsent}</bdi>
      </>
    );
  }
  const waiting = outbox.value.findLast((entry) => entry.conversation_id === id);
  if (waiting) {
    return (
      <>
        <Icon name={waiting.refusal ? "alert" : "clock"} /> <Said of="youPrefix" text={waiting.text} />
      </>
    );
  }
  if (!preview) return <i>{words.noMessages}</i>;
  return preview.mine ? <Said of="youPrefix" text={preview.text} /> : <bdi>{preview.text}</bdi>;
}

function ListHeader() {
  const words = text();
  const user = session.value!.user;
  return (
    <header class="list-header">
      <Mark />
      <h1>{words.conversations}</h1>
      <IconButton icon="plus" label={words.newConversation} onClick={() => (dialog.value = { kind: "new" })} />
      <button
        type="button"
        class="account-button"
        aria-haspopup="menu"
        onClick={(event) => openMenu(event.currentTarget, words.account, accountMenu())}
      >
        <Avatar profile={{ ...user, _id: user.id }} />
        <span class="visually-hidden">{`${words.account}: ${user.full_name ?? user.email}`}</span>
      </button>
    </header>
  );
}

function accountMenu(): MenuItem[] {
  const words = text();
  const consent = notifications.peek();
  const notify: MenuItem = {
    icon: consent === "on" ? "bellOff" : "bell",
    label: consent === "on" ? words.notificationsOff : consent === "denied" ? words.notificationsDenied : words.notificationsOn,
    isDisabled: consent === "denied",
    action: () => void toggleNotifications(),
  };
  const everywhere: MenuItem = {
    icon: "exit",
    label: words.signOutEverywhere,
    action: () => void signOutEverywhere().catch(() => showToast(words.somethingWrong)),
  };
  return [
    ...(consent === "unsupported" ? [] : [notify]),
    { icon: "exit", label: words.signOut, action: signOut },
    everywhere,
  ];
}

function ListSkeleton() {
  return (
    <div class="list" aria-hidden="true">
      {[0, 1, 2, 3].map((index) => (
        <div key={index} class="row skeleton-row">
          <span class="avatar skeleton" />
          <span class="row-name skeleton" />
          <span class="row-preview skeleton" />
        </div>
      ))}
    </div>
  );
}
