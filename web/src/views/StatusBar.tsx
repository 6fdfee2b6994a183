// The connection, when there is something to say of it; and the token's end.
import { useEffect, useState } from "preact/hooks";
import { say, text } from "../language";
import { otherPerson } from "../page/demo";
import { type Link, link, reconnectNow } from "../state/connection";
import { interruption } from "../state/session";
import { own } from "../state/storage";
import { Icon, type IconName } from "./icons";
import { IconButton } from "./parts";

/** A connection that is back sooner was no trouble; milliseconds. */
const PATIENCE: Record<Link, number> = { online: 0, reconnecting: 400, offline: 0, connecting: 2000 };
const BACK_SHOWN = 2500;

/** The state as it is shown: late for trouble that passes, and "back" for a moment after trouble that was shown. */
function useShownLink(): Link | "back" {
  const [shown, setShown] = useState<Link | "back">("online");
  const { value } = link;
  useEffect(() => {
    if (value === "online") {
      setShown((before) => (before === "online" || before === "connecting" ? "online" : "back"));
      const timer = setTimeout(() => setShown("online"), BACK_SHOWN);
      return () => clearTimeout(timer);
    }
    const timer = setTimeout(() => setShown(value), PATIENCE[value]);
    return () => clearTimeout(timer);
  }, [value]);
  return shown;
}

export function StatusBar() {
  const shown = useShownLink();
  const words = text();
  const content: Record<string, [IconName, string]> = {
    connecting: ["retry", words.linkConnecting],
    offline: ["cloudOff", words.linkOffline],
    reconnecting: ["retry", words.linkReconnecting],
    back: ["check", words.linkBack],
  };
  const [icon, message] = content[shown] ?? [];
  return (
    <div class="bars">
      <div role="status">
        {icon && (
          <div class={`bar bar-${shown}`}>
            <Icon name={icon} />
            <p>{message}</p>
            {(shown === "reconnecting" || shown === "offline") && (
              <button type="button" class="bar-button" onClick={reconnectNow}>
                {words.linkRetry}
              </button>
            )}
          </div>
        )}
      </div>
      <div role="status">
        {interruption.value === "expiring" && (
          <div class="bar bar-expiring">
            <Icon name="clock" />
            <p>{words.expiringShort}</p>
            <button type="button" class="bar-button" onClick={() => (interruption.value = "renewing")}>
              {words.signIn}
            </button>
          </div>
        )}
      </div>
      <DemoHint />
    </div>
  );
}

function DemoHint() {
  const [isHidden, setHidden] = useState(own.read("demo-hint") === "hidden");
  const other = otherPerson();
  if (!other || isHidden) return null;
  const name = other.account.full_name.split(" ")[0]!;
  function hide(): void {
    own.write("demo-hint", "hidden");
    setHidden(true);
  }
  return (
    <aside class="bar bar-demo" aria-label="Demo">
      <Icon name="chat" />
      <p>{say("demoHint", { name })}</p>
      <a class="bar-button" href={other.path} target="_blank" rel="noopener">
        {say("demoOpen", { name })}
        <Icon name="external" />
      </a>
      <IconButton icon="close" label={text().dismiss} onClick={hide} />
    </aside>
  );
}
