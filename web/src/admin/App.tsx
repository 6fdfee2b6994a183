// Who is let in, and the frame around what is shown.
import { useEffect, useState } from "preact/hooks";
import { RequestRefused } from "../errors";
import { explain } from "../language";
import { toast } from "../page/dialogs";
import { signOut } from "../state/accounts";
import { interruption, session } from "../state/session";
import { Icon, Mark } from "../views/icons";
import { SignIn } from "../views/SignIn";
import { Audit } from "./Audit";
import { reports } from "./api";
import { Dialogs } from "./Dialogs";
import { Reports } from "./Reports";
import { route } from "./route";
import { UserPage } from "./UserPage";
import { Users } from "./Users";
import { fill, words } from "./words";

export function App() {
  const isSigningIn = !session.value || interruption.value !== null;
  return (
    <>
      {isSigningIn ? <SignIn /> : <Gate key={session.value!.token} />}
      <Dialogs />
      <div class="toast" role="status">
        {toast.value.words && <p key={toast.value.number}>{toast.value.words}</p>}
      </div>
    </>
  );
}

/** Asks the server whether this is an admin: what a page keeps of an account proves nothing. */
function Gate() {
  const [access, setAccess] = useState<"asking" | "admin" | "refused" | "failed">("asking");
  const [problem, setProblem] = useState("");
  async function ask(): Promise<void> {
    setAccess("asking");
    try {
      await reports("open");
      setAccess("admin");
    } catch (error) {
      setProblem(explain(error));
      setAccess(error instanceof RequestRefused && error.message === "Admins only" ? "refused" : "failed");
    }
  }
  useEffect(() => void ask(), []);
  if (access === "admin") return <Shell />;
  if (access === "asking") {
    return (
      <main class="sign-in">
        <p class="entering" role="status">
          <Mark />
          {words.checking}
        </p>
      </main>
    );
  }
  const name = session.value?.user.full_name ?? session.value?.user.email ?? "";
  return (
    <main class="sign-in">
      <div class="sign-in-card">
        <Mark />
        <h1>{access === "refused" ? words.refusedTitle : words.failed}</h1>
        <p role="alert">{access === "refused" ? fill("refusedText", { name }) : problem}</p>
        {access === "failed" && (
          <button type="button" class="button primary wide" onClick={() => void ask()}>
            {words.tryAgain}
          </button>
        )}
        <button type="button" class="button wide" onClick={signOut}>
          {words.signOut}
        </button>
        <p class="sign-in-other">
          <a class="link" href="./">
            {words.toChat}
          </a>
        </p>
      </div>
    </main>
  );
}

function Shell() {
  const { value } = route;
  const title = value.name === "audit" ? words.audit : value.name === "reports" ? words.reports : words.users;
  useEffect(() => {
    document.title = `${title} · ${words.title} · Horse Trust`;
  }, [title]);
  const link = (href: string, name: string) => (
    <a href={href} {...(name === title ? { "aria-current": "page" as const } : {})}>
      {name}
    </a>
  );
  return (
    <div class="admin">
      <a
        class="admin-skip"
        href="#content"
        onClick={(event) => {
          event.preventDefault();
          document.getElementById("content")?.focus();
        }}
      >
        {words.skip}
      </a>
      <header class="admin-header">
        <Mark />
        <p class="admin-title">{words.title}</p>
        <nav aria-label={words.pages}>
          {link("#/open", words.reports)}
          {link("#/users", words.users)}
          {link("#/audit", words.audit)}
        </nav>
        <a class="icon-button" href="./" aria-label={words.toChat} title={words.toChat}>
          <Icon name="chat" />
        </a>
        <button type="button" class="icon-button" aria-label={words.signOut} title={words.signOut} onClick={signOut}>
          <Icon name="exit" />
        </button>
      </header>
      <main id="content" class="admin-content" tabIndex={-1}>
        {value.name === "reports" && <Reports key={value.state} state={value.state} />}
        {value.name === "users" && <Users />}
        {value.name === "user" && <UserPage key={value.id} id={value.id} />}
        {value.name === "audit" && <Audit />}
      </main>
    </div>
  );
}
