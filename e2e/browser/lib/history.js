// Two people with a past: a server on an imported conversation.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

import { Server, run, temporaryFolder, token } from "../../lib/server.js";

const oid = (kind, number) => `65a0000${kind}${number.toString(16).padStart(16, "0")}`;
const ANA = oid(1, 1);
const BRUNO = oid(1, 2);
const CONVERSATION = oid(2, 1);

/**
 * A server on which Ana and Bruno have written `texts`, the last of them `last` milliseconds ago, one each `every`
 * milliseconds; `[who, text]`, who being 0 for Ana.
 */
export async function withHistory(t, texts, { every = 60_000, last = 60_000, settings = {}, unread = 0 } = {}) {
  const folder = temporaryFolder(t);
  const end = Date.now() - last;
  const at = (number) => ({ $date: new Date(end - (texts.length - 1 - number) * every).toISOString() });
  const person = (id, name) => ({
    _id: { $oid: id }, email: `${name.split(" ")[0].toLowerCase()}@example.com`, password_hash: "x", role: "seller", full_name: name,
    is_active: true, created_at: at(0),
  });
  const [who, text] = texts.at(-1);
  const data = {
    users: [person(ANA, "Ana Belmonte"), person(BRUNO, "Bruno Arrieta")],
    conversations: [{
      _id: { $oid: CONVERSATION }, participants: [{ $oid: ANA }, { $oid: BRUNO }],
      last_message: { text, sender_id: { $oid: who === 0 ? ANA : BRUNO }, sent_at: at(texts.length - 1), is_read: unread === 0 },
      created_at: at(0), updated_at: at(texts.length - 1),
    }],
    messages: texts.map(([author, words], number) => ({
      _id: { $oid: oid(3, number + 1) }, conversation_id: { $oid: CONVERSATION }, sender_id: { $oid: author === 0 ? ANA : BRUNO },
      text: words, is_read: number < texts.length - unread, sent_at: at(number),
    })),
  };
  const args = ["import"];
  for (const [name, records] of Object.entries(data)) {
    writeFileSync(join(folder, `${name}.json`), records.map((record) => JSON.stringify(record)).join("\n"));
    args.push(`--${name}`, `${name}.json`);
  }
  const { status, stderr } = run(folder, args);
  assert.equal(status, 0, stderr);
  const server = await Server.start(t, settings, { folder });
  const signed = (id, name) => ({ id, name, email: `${name.split(" ")[0].toLowerCase()}@example.com`, token: token({ userId: id, role: "seller" }) });
  return { server, ana: signed(ANA, "Ana Belmonte"), bruno: signed(BRUNO, "Bruno Arrieta"), conversation: CONVERSATION };
}

/** What a buyer and a seller write to each other. */
export const TALK = [
  [0, "Good morning! I saw the bay mare on your page. Is she still for sale?"],
  [1, "Good morning, Ana. Yes, she is. Somebody came to see her on Sunday, but nothing is settled."],
  [1, "Her name is Aurora."],
  [0, "Lovely. How old is she, and how tall?"],
  [1, "Seven in April, 1.62 m. PRE, papers in order, the last X-rays are from March: https://horses.example/aurora/x-rays"],
  [0, "And her temper? My daughter rides, she is fourteen and a careful rider, but it would be her first own horse."],
  [1, "Calm in the stable and honest outside. She does not like clippers. In traffic nothing bothers her; she grew up beside the railway."],
  [0, "That is good to hear :)"],
  [0, "Could we come on Saturday?"],
  [1, "Saturday is fine. Before eleven if you can, it gets hot here."],
  [1, "Bring a helmet, she has her own saddle."],
  [0, "We will be there at ten. What do you ask for her?"],
  [1, "9 500, with saddle and bridle. We can talk about it when you have seen her."],
  [0, "Agreed. See you on Saturday!"],
  [1, "I will leave the gate open."],
];

/** The same in Spanish. */
export const CHARLA = [
  [0, "¡Buenos días! Vi la yegua castaña en tu página. ¿Sigue en venta?"],
  [1, "Buenos días, Ana. Sí, sigue. El domingo vino alguien a verla, pero no hay nada cerrado."],
  [1, "Se llama Aurora."],
  [0, "Preciosa. ¿Qué edad tiene, y cuánto mide?"],
  [1, "Siete en abril, 1,62 m. PRE, papeles en regla; las últimas radiografías son de marzo."],
  [0, "¿Y el carácter? Sería el primer caballo de mi hija, que monta con cuidado."],
  [1, "Tranquila en la cuadra y noble fuera. No le gusta la esquiladora."],
  [0, "Perfecto. ¿Podemos ir el sábado, antes de las once?"],
  [1, "Claro. Traed casco; ella tiene su propia montura."],
];
