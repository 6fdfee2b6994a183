import { io, type Socket } from "socket.io-client";
import type { Auth, ClientToServerEvents, ServerToClientEvents } from "@horse-trust/events";

const [token, conversation] = process.argv.slice(2) as [string, string];
const auth: Auth = { token, serverOffset: 0 };
const socket: Socket<ServerToClientEvents, ClientToServerEvents> = io("http://127.0.0.1:3000", { auth });

socket.on("new_message", (message) => console.log(message.seq, message.sender_id.full_name, message.text));
const answer = await socket.emitWithAck("send_message", { conversation_id: conversation, text: "Is she for sale?" });
console.log(answer.success ? `stored as ${answer.data._id}` : `refused: ${answer.message}`);
