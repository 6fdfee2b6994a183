// The right pane: an open conversation, or why none is.
import { useLayoutEffect } from "preact/hooks";
import { isolate } from "../direction";
import { lastSeen } from "../format";
import { say, text } from "../language";
import { trySet, tryUnblock } from "../page/actions";
import { focusComposer } from "../page/composer";
import { dialog } from "../page/dialogs";
import { conversationPath, go } from "../page/route";
import { type Conversation as State, conversations, listPhase } from "../state/conversations";
import { opened } from "../state/reading";
import { loadNewest } from "../state/timelines";
import { Composer } from "./Composer";
import { type MenuItem, openMenu } from "./menu";
import { Avatar, Empty, IconButton, Said, nameOf } from "./parts";
import { Timeline } from "./Timeline";

export function Conversation({ id }: { id: string }) {
  const words = text();
  const conversation = conversations.value.get(id);
  if (conversation) return <Open conversation={conversation} />;
  if (id && listPhase.value !== "ready") return <section class="conversation-pane" aria-busy="true" />;
  return (
    <section class="conversation-pane">
      {id ? (
        <Empty icon="alert" title={words.notFoundTitle} words={words.notFoundText}>
          <a class="button" href="#/">
            {words.backToList}
          </a>
        </Empty>
      ) : (
        <Empty icon="chat" title={words.welcomeTitle} words={words.welcomeText}>
          <button type="button" class="button" onClick={() => (dialog.value = { kind: "new" })}>
            {words.newConversation}
          </button>
        </Empty>
      )}
    </section>
  );
}

function Open({ conversation }: { conversation: State }) {
  const { id, other } = conversation;
  useLayoutEffect(() => {
    opened(id);
    void loadNewest(id);
    // On a touch screen the keyboard would cover half of the conversation.
    if (matchMedia("(hover: hover)").matches) focusComposer();
  }, []);
  return (
    <section class="conversation-pane" aria-label={nameOf(other)}>
      <Header conversation={conversation} />
      <Timeline conversation={conversation} />
      <p class="typing-line" aria-live="polite">
        {conversation.typing && (
          <>
            <span class="typing-dots" aria-hidden="true">
              <i />
              <i />
              <i />
            </span>
            <span>
              <Said of="isTyping" name={nameOf(other)} />
            </span>
          </>
        )}
      </p>
      <Composer conversation={conversation} />
    </section>
  );
}

function Header({ conversation }: { conversation: State }) {
  const { other, online, blockedByMe, blockedByOther } = conversation;
  const words = text();
  const isHidden = blockedByMe || blockedByOther;
  const seen = conversation.lastSeen ? lastSeen(conversation.lastSeen) : "";
  const status = isHidden ? "" : online ? words.online : seen;
  return (
    <header class="conversation-header">
      <IconButton icon="back" class="back-button" label={words.backToList} onClick={() => back(conversation.id)} />
      <Avatar profile={other} online={!isHidden && online} />
      <div class="conversation-title">
        <h1 dir="auto">{nameOf(other)}</h1>
        {status && <p class={online ? "presence presence-online" : "presence"}>{status}</p>}
      </div>
      <IconButton
        icon="more"
        hasMenu
        label={words.actions}
        onClick={(event) => openMenu(event.currentTarget as HTMLElement, words.actions, conversationMenu(conversation))}
      />
    </header>
  );
}

/** Goes to the list, and gives the focus to this conversation's row. */
function back(id: string): void {
  go("#/");
  requestAnimationFrame(() => document.querySelector<HTMLElement>(`a[href="${conversationPath(id)}"]`)?.focus());
}

function conversationMenu(conversation: State): MenuItem[] {
  const { id, muted, pinned } = conversation;
  const words = text();
  return [
    { icon: "pin", label: pinned ? words.unpin : words.pin, action: () => void trySet(id, { pinned: !pinned }) },
    {
      icon: muted ? "bell" : "bellOff",
      label: muted ? words.unmute : words.mute,
      action: () => void trySet(id, { muted: !muted }),
    },
    blockItem(conversation),
  ];
}

function blockItem({ other, blockedByMe }: State): MenuItem {
  const name = isolate(nameOf(other));
  if (blockedByMe) {
    return { icon: "block", label: say("unblockName", { name }), action: () => void tryUnblock(other._id) };
  }
  const ask = () => (dialog.value = { kind: "block", user: other._id, name });
  return { icon: "block", label: say("block", { name }), isDangerous: true, action: ask };
}
