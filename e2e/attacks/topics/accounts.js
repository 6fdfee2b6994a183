// Passwords, registrations, and what may be learnt of others.
import { PASSWORD, emailOf } from "../lib/names.js";

const registration = (n) => ({ email: `r${n}-${Math.random().toString(36).slice(2)}@example.com`, password: "correct horse", full_name: "Reg" });

/** How many accounts an address may make: 100, and one each five seconds; each node counts for itself. */
const registrations = (attacker, seconds) => attacker.nodes.length * (100 + seconds / 5);

export default [
  {
    name: "260 connections of one address register while others sign in",
    logins: true,
    async run(attacker) {
      const end = performance.now() + 10_000;
      let made = 0;
      await attacker.each(1_000_000, 260, async (n) => {
        if (performance.now() > end) return;
        const { status } = await attacker.http(n, "POST", "/api/auth/register", { body: registration(n) });
        if (status === 201) made++;
        else await attacker.sleep(200);
      });
      attacker.note(`${made} accounts were made`);
      attacker.check(made <= registrations(attacker, 20), `${made} accounts of one address were made`);
    },
  },
  {
    name: "200 registrations in five seconds of one address",
    logins: true,
    async run(attacker) {
      const answers = await attacker.pace(40, attacker.isQuick ? 3 : 5, (n) => attacker.http(n, "POST", "/api/auth/register", { body: registration(n), address: "203.0.113.77" }));
      const made = answers.filter(({ status }) => status === 201).length;
      attacker.note(`${made} accounts were made`);
      attacker.check(made <= registrations(attacker, 10), `${made} accounts of one address were made`);
    },
  },
  {
    name: "wrong passwords for many accounts, of one address",
    logins: true,
    async run(attacker) {
      await attacker.pace(60, attacker.isQuick ? 3 : 8, (n) => attacker.http(n, "POST", "/api/auth/login", { body: { email: `nobody-${n}@example.com`, password: "wrong horse" }, address: "203.0.113.78" }));
    },
  },
  {
    name: "wrong passwords for many accounts, of many addresses",
    logins: true,
    async run(attacker) {
      await attacker.pace(60, 8, (n) => attacker.http(n, "POST", "/api/auth/login", { body: { email: `nobody-${n}@example.com`, password: "wrong horse" }, address: `10.${n >> 8}.${n & 255}.1` }));
    },
  },
  {
    name: "passwords of a megabyte",
    logins: true,
    async run(attacker) {
      const password = "x".repeat(1_000_000);
      const answers = await attacker.pace(20, 5, (n) => attacker.http(n, "POST", n % 2 ? "/api/auth/login" : "/api/auth/register", { body: { ...registration(n), password }, address: "203.0.113.79" }));
      attacker.check(answers.every(({ status }) => status !== 201 && status !== 500), "a password of a megabyte was taken");
    },
  },
  {
    name: "a stranger opens 1499 conversations with one user",
    isQuick: true,
    seed: (seed) => (seed.user("opener"), seed.user("opened")),
    async run(attacker) {
      const seconds = attacker.isQuick ? 3 : 10;
      const answers = await attacker.pace(150, seconds, (n) => attacker.http(n, "POST", "/api/chat/conversations", { user: "opener", body: { recipient_id: attacker.id("opened"), horse_id: attacker.id(`horse ${n}`) } }));
      const made = answers.filter(({ status }) => status === 200 || status === 201).length;
      const { text } = await attacker.http(0, "GET", "/api/chat/conversations", { user: "opened" });
      const seen = JSON.parse(text).data?.length;
      attacker.note(`${made} conversations were made`);
      attacker.check(seen === 0, `${seen} of them are in the other's list, though nothing was written`);
      attacker.check(made <= 500, `${made} conversations were made in ${seconds} seconds`);
    },
  },
  {
    name: "a stranger opens conversations under a block",
    isQuick: true,
    seed: (seed) => (seed.user("blocked opener"), seed.user("blocking")),
    async run(attacker) {
      const { status } = await attacker.http(0, "POST", "/api/chat/blocks", { user: "blocking", body: { user_id: attacker.id("blocked opener") } });
      attacker.check(status === 201 || status === 200, `the block was refused: ${status}`);
      const answers = await attacker.pace(30, 2, (n) => attacker.http(n, "POST", "/api/chat/conversations", { user: "blocked opener", body: { recipient_id: attacker.id("blocking"), horse_id: attacker.id(`horse ${n}`) } }));
      const made = answers.filter((answer) => answer.status === 200 || answer.status === 201).length;
      attacker.check(made === 0, `${made} conversations were made`);
    },
  },
  {
    name: "names by guessed ids, through blocks",
    seed: (seed) => (seed.user("guessing"), Array.from({ length: 20 }, (_, n) => seed.user(`guessed ${n}`))),
    async run(attacker) {
      const answers = await attacker.pace(20, 2, async (n) => {
        const isThere = n % 2 === 0;
        const id = attacker.id(`guessed ${isThere ? n >> 1 : `wrongly ${n}`}`);
        const { status, text } = await attacker.http(n, "POST", "/api/chat/blocks", { user: "guessing", body: { user_id: id } });
        return { isThere, answer: `${status} ${text}` };
      });
      const of = (side) => new Set(answers.filter(({ isThere }) => isThere === side).map(({ answer }) => answer));
      const [there, absent] = [of(true), of(false)];
      attacker.check([...there].every((answer) => absent.has(answer)), `the answers tell who is there: ${[...there].join()} and ${[...absent].join()}`);
      const { text } = await attacker.http(0, "GET", "/api/chat/blocks", { user: "guessing" });
      attacker.check(!/guessed \d/.test(text), "the list of blocks tells names of people whom nobody has met");
    },
  },
  {
    name: "logout everywhere, over and over",
    seed: (seed) => seed.user("leaver"),
    async run(attacker) {
      let left = 0;
      for (let n = 0; n < (attacker.isQuick ? 10 : 40); n++) {
        const login = await attacker.http(n, "POST", "/api/auth/login", { body: { email: emailOf("leaver"), password: PASSWORD }, address: "203.0.113.80" });
        const token = login.status === 200 && JSON.parse(login.text).token;
        if (token && (await attacker.http(n, "POST", "/api/auth/logout-everywhere", { token })).status === 200) left++;
      }
      attacker.note(`${left} times`);
    },
  },
];
