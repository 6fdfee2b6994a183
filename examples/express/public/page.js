// The platform's page: signs in, lists the horses, and has a chat of its own in as few lines as it takes. What a careful
// client does beside this (gaps, messages written offline, several devices) is in the chat server's own page.
const { chat_url: chatUrl } = await (await fetch("/api/settings")).json();
const { io } = await import(`${chatUrl}/socket.io/socket.io.esm.min.js`);
const find = (selector) => document.querySelector(selector);
let me, token, socket, opened;
/** Those of the open conversation, by `seq`. */
const messages = new Map();

/** Asks the platform or the chat; throws the text of a refusal. */
async function ask(method, url, body) {
  const headers = { ...(token && { authorization: `Bearer ${token}` }), ...(body && { "content-type": "application/json" }) };
  const response = await fetch(url, { method, headers, body: body && JSON.stringify(body) });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.message);
  return answer;
}

/** Runs `action` when the form is sent, and says beside it what goes wrong. */
function onSubmit(form, action) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const problem = form.querySelector("[role=alert]");
    problem.textContent = "";
    await action(Object.fromEntries(new FormData(form)), form).catch((error) => (problem.textContent = error.message));
  });
}

function item(list, text, label, action) {
  const element = document.createElement("li");
  element.append(text);
  if (label) {
    const button = document.createElement("button");
    button.textContent = label;
    button.addEventListener("click", action);
    element.append(button);
  }
  list.append(element);
}

async function showListings() {
  find("#listings").replaceChildren();
  for (const { _id, title, price, status, seller_id } of await ask("GET", "/api/listings")) {
    const canWrite = me && me._id !== seller_id && status !== "sold";
    item(find("#listings"), `${title} · ${price} · ${status}`, canWrite && "Write to the seller", async () => {
      const { data } = await ask("POST", `${chatUrl}/api/chat/conversations`, { recipient_id: seller_id, horse_id: _id });
      await openConversation(data._id, title);
    });
  }
}

async function showConversations() {
  const { data } = await ask("GET", `${chatUrl}/api/chat/conversations`);
  const list = find("#conversations ul");
  list.replaceChildren();
  find("#conversations").hidden = data.length === 0;
  for (const { _id, participants, unread_count } of data) {
    const other = participants.find((participant) => participant._id !== me._id);
    const title = other.full_name ?? "Somebody";
    item(list, `${title}${unread_count ? ` (${unread_count} new)` : ""}`, "Open", () => openConversation(_id, title));
  }
}

async function openConversation(id, title) {
  opened = id;
  messages.clear();
  find("#chat").hidden = false;
  find("#chat h2").textContent = title;
  await loadMessages();
}

/** Joins the open conversation and reads what is in it, which marks it as read. */
async function loadMessages() {
  if (!opened) return;
  await socket.emitWithAck("join_conversation", opened);
  const { data } = await ask("GET", `${chatUrl}/api/chat/conversations/${opened}/messages`);
  data.forEach(addMessage);
  await showConversations();
}

function addMessage(message) {
  if (message.conversation_id !== opened) return;
  // The same message can come twice, and one that is received live before older ones that are still being read.
  messages.set(message.seq, message);
  const list = find("#chat ol");
  list.replaceChildren();
  for (const { sender_id, text } of [...messages.values()].sort((one, other) => one.seq - other.seq)) {
    item(list, `${sender_id._id === me._id ? "You" : (sender_id.full_name ?? "Somebody")}: ${text}`);
  }
  list.lastElementChild.scrollIntoView({ block: "nearest" });
}

onSubmit(find("#sign-in"), async (fields, form) => {
  ({ token, user: me } = await ask("POST", "/api/signin", fields));
  form.hidden = true;
  find("#signed-in").hidden = false;
  find("#signed-in").textContent = `Signed in as ${me.full_name}`;
  socket = io(chatUrl, { auth: { token } });
  // After a lost connection the socket is in no room, and messages may have come meanwhile.
  socket.on("connect", loadMessages);
  socket.on("new_message", (message) => {
    addMessage(message);
    if (message.conversation_id === opened) socket.emit("mark_read", { conversation_id: opened });
  });
  socket.on("unread_count", showConversations);
  socket.on("conversation_updated", showConversations);
  socket.on("user_updated", showConversations);
  socket.on("account_suspended", () => (find("#signed-in").textContent = "This account is suspended"));
  await Promise.all([showListings(), showConversations()]);
});

onSubmit(find("#chat form"), async (fields, form) => {
  const answer = await socket.emitWithAck("send_message", { conversation_id: opened, text: fields.text, client_id: crypto.randomUUID() });
  if (!answer.success) throw new Error(answer.message);
  form.reset();
});

await showListings();
