// What the compiler has to refuse; a line that it takes is an error here.
import type { Socket } from "socket.io-client";
import type { Auth, ClientToServerEvents, Message, ServerToClientEvents } from "@horse-trust/events";

declare const socket: Socket<ServerToClientEvents, ClientToServerEvents>;
declare const message: Message;
const conversation_id = "65a50b5e9f1c2d3e4f506171";
const done = () => {};

// @ts-expect-error no such event
socket.emit("send_mesage", { conversation_id, text: "x" }, done);
// @ts-expect-error no such event
socket.on("new_mesage", done);
// @ts-expect-error an event of the other way
socket.emit("new_message", message);
// @ts-expect-error an event of the other way
socket.on("send_message", done);
// @ts-expect-error no text
socket.emit("send_message", { conversation_id }, done);
// @ts-expect-error no conversation
socket.emit("send_message", { text: "x" }, done);
// @ts-expect-error a misspelt field
socket.emit("send_message", { conversation_id, text: "x", clientId: "1" }, done);
// @ts-expect-error a text is a string
socket.emit("send_message", { conversation_id, text: 7 }, done);
// @ts-expect-error the acknowledgement is not taken
socket.emit("send_message", { conversation_id, text: "x" });
// @ts-expect-error both directions at once
socket.emit("fetch_messages", { conversation_id, after_seq: 1, before_seq: 9 }, done);
// @ts-expect-error a number is meant
socket.emit("mark_read", { conversation_id, up_to_seq: "1" }, done);
// @ts-expect-error the bare id is not taken
socket.emit("mark_read", conversation_id, done);
// @ts-expect-error no reason
socket.emit("report_message", { message_id: message._id }, done);
// @ts-expect-error a block is of a user
socket.emit("block_user", { message_id: message._id }, done);

socket.emit("send_message", { conversation_id, text: "x" }, (answer) => {
  // @ts-expect-error a refusal has no data
  answer.data.text.trim();
  // @ts-expect-error a success has no message
  answer.message.trim();
  if (answer.success) answer.data.text.trim();
  else answer.message.trim();
});
socket.emit("typing", conversation_id, (answer) => {
  // @ts-expect-error there is no data
  if (answer.success) answer.data;
});
socket.on("presence", ({ last_seen }) => {
  // @ts-expect-error null while online
  last_seen.trim();
});
socket.on("new_message", ({ sender_id, edited_at }) => {
  // @ts-expect-error the whole profile, not the id
  sender_id.trim();
  // @ts-expect-error null without a profile
  sender_id.full_name.trim();
  // @ts-expect-error left out until it is edited
  edited_at.trim();
});
const answer = await socket.emitWithAck("mark_read", { conversation_id });
// @ts-expect-error it may be refused
answer.data.unread_count.toFixed();

// @ts-expect-error no token
export const withoutToken: Auth = { serverOffset: 0 };
// @ts-expect-error no boolean
export const withText: Auth = { token: "x", recovery: "yes" };
