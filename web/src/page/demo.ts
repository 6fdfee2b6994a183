// The two people of `horse-trust demo`; an ordinary server has none.
import { signal } from "@preact/signals";
import { signIn } from "../state/accounts";
import { request } from "../state/api";
import { me } from "../state/session";
import { conversationPath, go } from "./route";

export interface DemoAccount {
  id: string;
  full_name: string;
  email: string;
  password: string;
}

interface Demo {
  accounts: DemoAccount[];
  conversation_id?: string;
}

export const demo = signal<Demo>({ accounts: [] });

let loaded: Promise<void> | undefined;

export function loadDemo(): Promise<void> {
  loaded ??= request<Demo>("GET", "/demo.json").then(
    (value) => void (demo.value = value),
    // Without the demo one signs in with an account.
    () => {},
  );
  return loaded;
}

export async function enter(account: DemoAccount): Promise<void> {
  if (me.peek() !== account.id) await signIn(account.email, account.password, true);
  const { conversation_id: id } = demo.peek();
  go(id ? conversationPath(id) : "#/");
}

/** The other demo account, if one of the two is signed in. */
export function otherPerson(): { account: DemoAccount; path: string } | undefined {
  const { accounts } = demo.value;
  const mine = accounts.findIndex(({ id }) => id === me.value);
  const account = accounts[1 - mine];
  return mine < 0 || !account ? undefined : { account, path: `#/demo/${2 - mine}` };
}
