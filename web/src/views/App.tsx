// Which of the page's faces is shown.
import { useEffect } from "preact/hooks";
import { text } from "../language";
import { demo, enter, loadDemo } from "../page/demo";
import { toast } from "../page/dialogs";
import { go, route } from "../page/route";
import { interruption, session } from "../state/session";
import { openConversation } from "../state/shown";
import { Conversation } from "./Conversation";
import { ConversationList } from "./ConversationList";
import { Dialogs } from "./Dialogs";
import { Mark } from "./icons";
import { LiveRegion } from "./LiveRegion";
import { MenuHost } from "./menu";
import { SignIn } from "./SignIn";
import { StatusBar } from "./StatusBar";

export function App() {
  if (route.value.name === "demo") return <EnterDemo key={route.value.person} person={route.value.person} />;
  const isSigningIn = !session.value || interruption.value === "renewing" || interruption.value === "expired";
  return (
    <>
      {isSigningIn ? <SignIn /> : <Chat />}
      <MenuHost />
      <Dialogs />
      <div class="toast" role="status">
        {toast.value.words && <p key={toast.value.number}>{toast.value.words}</p>}
      </div>
      <LiveRegion />
    </>
  );
}

function Chat() {
  const open = openConversation.value;
  return (
    <div class={open ? "chat chat-open" : "chat"}>
      <StatusBar />
      <main class="panes">
        <ConversationList />
        <Conversation key={open} id={open} />
      </main>
    </div>
  );
}

/** The link that opens a second window as the demo's other person. */
function EnterDemo({ person }: { person: number }) {
  useEffect(() => {
    void loadDemo().then(async () => {
      const account = demo.peek().accounts[person - 1];
      if (account) await enter(account).catch(() => go("#/"));
      else go("#/");
    });
  }, []);
  return (
    <main class="sign-in">
      <p class="entering" role="status">
        <Mark />
        {text().demoEntering}
      </p>
    </main>
  );
}
