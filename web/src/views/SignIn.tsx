// Sign in, register, sign in again, and the demo's two people.
import { useEffect, useRef, useState } from "preact/hooks";
import { RequestRefused } from "../errors";
import { explain, refusal, say, text } from "../language";
import { type DemoAccount, demo, enter } from "../page/demo";
import { register, signIn, signOut } from "../state/accounts";
import { interruption, session } from "../state/session";
import { Icon, Mark } from "./icons";
import { Avatar } from "./parts";

type Fields = "full_name" | "email" | "password";

/** Whether nothing was typed. White space is part of a password. */
const isBlank = (name: Fields, value: string) => (name === "password" ? value : value.trim()) === "";

/** Whether people sign in here; elsewhere the platform that issues the tokens does that. */
const hasAccounts = document.documentElement.dataset["accounts"] !== "off";

function SignInElsewhere() {
  return (
    <main class="sign-in">
      <div class="sign-in-card">
        <header class="brand">
          <Mark />
          <p class="brand-name">Horse Trust</p>
        </header>
        <h1>{text().signInElsewhere}</h1>
      </div>
    </main>
  );
}

export function SignIn() {
  return hasAccounts ? <SignInHere /> : <SignInElsewhere />;
}

function SignInHere() {
  const again = session.value?.user;
  const [isNew, setNew] = useState(false);
  const isRegistering = isNew && !again;
  const words = text();
  return (
    <main class="sign-in">
      <div class="sign-in-card">
        <header class="brand">
          <Mark />
          <p class="brand-name">Horse Trust</p>
          {!again && <p class="brand-line">{words.tagline}</p>}
        </header>
        {!again && demo.value.accounts.length > 0 && <DemoPeople />}
        <h1>{isRegistering ? words.registerTitle : words.signInTitle}</h1>
        {again && (
          <p class="notice" role="status">
            {interruption.value === "expired" ? words.expired : words.expiring}
          </p>
        )}
        <Form key={isRegistering ? "register" : "sign-in"} isRegistering={isRegistering} knownEmail={again?.email} />
        {again ? (
          <p class="sign-in-other">
            <button type="button" class="link" onClick={signOut}>
              {words.otherAccount}
            </button>
          </p>
        ) : (
          <p class="sign-in-other">
            {isRegistering ? words.haveAccount : words.noAccount}{" "}
            <button type="button" class="link" onClick={() => setNew(!isNew)}>
              {isRegistering ? words.signIn : words.register}
            </button>
          </p>
        )}
      </div>
    </main>
  );
}

function Form({ isRegistering, knownEmail }: { isRegistering: boolean; knownEmail?: string | undefined }) {
  const form = useRef<HTMLFormElement>(null);
  const [errors, setErrors] = useState<Partial<Record<Fields, string>>>({});
  const [problem, setProblem] = useState("");
  const [isBusy, setBusy] = useState(false);
  const [isShown, setShown] = useState(false);
  const words = text();

  useEffect(() => {
    const empty = [...form.current!.querySelectorAll("input")].find((input) => !input.value);
    // On a touch screen the keyboard would cover half of the page.
    if (matchMedia("(hover: hover)").matches) empty?.focus();
  }, []);

  async function submit(event: Event): Promise<void> {
    event.preventDefault();
    if (isBusy) return;
    const value = (name: Fields) => form.current!.querySelector<HTMLInputElement>(`[name=${name}]`)?.value ?? "";
    const show = (problems: readonly (readonly [string, string])[]) => {
      setErrors(Object.fromEntries(problems));
      form.current?.querySelector<HTMLInputElement>(`[name=${problems[0]?.[0] ?? "password"}]`)?.focus();
    };
    setProblem("");
    setErrors({});
    const needed: [Fields, string][] = [
      ["full_name", words.nameNeeded],
      ["email", words.emailNeeded],
      ["password", words.passwordNeeded],
    ];
    const missing = needed.filter(([name]) => (name !== "full_name" || isRegistering) && isBlank(name, value(name)));
    if (missing.length > 0) return show(missing);
    setBusy(true);
    try {
      if (isRegistering) await register(value("full_name"), value("email"), value("password"));
      else await signIn(value("email"), value("password"));
    } catch (error) {
      const fields = error instanceof RequestRefused ? Object.entries(error.fields) : [];
      const shown = fields.filter(([name]) => form.current?.querySelector(`[name="${CSS.escape(name)}"]`));
      show(shown.map(([name, message]) => [name, refusal(message)]));
      // What is wrong with a field that is not on the page is said above the button.
      const other = fields.find((field) => !shown.includes(field));
      if (other) setProblem(refusal(other[1]));
      else if (shown.length === 0) setProblem(explain(error));
      setBusy(false);
    }
  }

  const field = (name: Fields, label: string, attributes: object, hint?: string) => {
    const note = errors[name] ?? hint;
    return (
      <div class="field">
        <label for={name}>{label}</label>
        <input
          id={name}
          name={name}
          class="input"
          required
          aria-invalid={errors[name] !== undefined}
          {...(note ? { "aria-describedby": `${name}-note` } : {})}
          {...attributes}
        />
        {note && (
          <p id={`${name}-note`} class={errors[name] ? "field-error" : "field-hint"}>
            {note}
          </p>
        )}
      </div>
    );
  };

  return (
    <form ref={form} class="form" noValidate onSubmit={(event) => void submit(event)}>
      {isRegistering && field("full_name", words.fullName, { autocomplete: "name", maxLength: 100 })}
      {field("email", words.email, {
        type: "email",
        autocomplete: "username",
        inputMode: "email",
        defaultValue: knownEmail ?? "",
        readOnly: knownEmail !== undefined,
      })}
      <div class="password">
        {field(
          "password",
          words.password,
          { type: isShown ? "text" : "password", autocomplete: isRegistering ? "new-password" : "current-password" },
          isRegistering ? words.passwordHint : undefined,
        )}
        <button
          type="button"
          class="icon-button password-eye"
          aria-label={words.showPassword}
          aria-pressed={isShown}
          onClick={() => setShown(!isShown)}
        >
          <Icon name="eye" />
        </button>
      </div>
      <div role="alert">
        {problem && (
          <p class="problem">
            <Icon name="alert" />
            {problem}
          </p>
        )}
      </div>
      <button type="submit" class="button primary wide" aria-disabled={isBusy}>
        {isRegistering ? words.register : words.signIn}
      </button>
      {knownEmail && interruption.value === "renewing" && (
        <button type="button" class="button wide" onClick={() => (interruption.value = "expiring")}>
          {words.notNow}
        </button>
      )}
    </form>
  );
}

function DemoPeople() {
  const [problem, setProblem] = useState("");
  const step = (account: DemoAccount) => enter(account).catch((error: unknown) => setProblem(explain(error)));
  const words = text();
  return (
    <section class="demo-people" aria-labelledby="demo-title">
      <h2 id="demo-title">{words.demoTitle}</h2>
      {demo.value.accounts.map((account, index) => (
        <button key={account.id} type="button" class="demo-person" onClick={() => void step(account)}>
          <Avatar profile={{ _id: account.id, full_name: account.full_name }} />
          <span>
            <span class="demo-name">{say("demoEnter", { name: account.full_name })}</span>
            <span class="demo-role">{index === 0 ? words.demoBuyer : words.demoSeller}</span>
          </span>
        </button>
      ))}
      <div role="alert">{problem && <p class="problem">{problem}</p>}</div>
    </section>
  );
}
