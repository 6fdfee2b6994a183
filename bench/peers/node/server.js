// The chat's real-time contract on the official socket.io server. Configured by the environment alone:
//
//   HOST, PORT            where to listen (127.0.0.1, 3000)
//   JWT_SECRET            the secret of the HS256 tokens
//   USERS, CONVERSATIONS  files of JSON lines as mongoexport writes them
//   STORE                 "memory", the path of a SQLite file, or the postgres:// URL of a database
//   REDIS_URL             connects several processes by the Redis adapter
//   ADAPTER               "sharded" or "plain": which of the two adapters for Redis
//   RECOVERY              "1" turns connection state recovery on
import { createServer } from "node:http";
import { createAdapter, createShardedAdapter } from "@socket.io/redis-adapter";
import { Redis } from "ioredis";
import jwt from "jsonwebtoken";
import { Server } from "socket.io";
import { loadDirectory } from "./directory.js";
import { newId } from "./id.js";
import { openStore } from "./store.js";

const { HOST = "127.0.0.1", PORT = "3000", JWT_SECRET, USERS, CONVERSATIONS, STORE = "memory", RECOVERY } = process.env;
const { REDIS_URL, ADAPTER = "sharded" } = process.env;
if (!JWT_SECRET || !USERS || !CONVERSATIONS) {
  console.error("JWT_SECRET, USERS and CONVERSATIONS must be set");
  process.exit(2);
}
if (!["sharded", "plain"].includes(ADAPTER)) {
  console.error(`ADAPTER: "${ADAPTER}" is neither "sharded" nor "plain"`);
  process.exit(2);
}

const directory = loadDirectory(USERS, CONVERSATIONS);
const store = await openStore(STORE, directory);

/** The adapter between processes, with a connection to publish on and one to subscribe on. */
async function redisAdapter() {
  const publisher = new Redis(REDIS_URL, { lazyConnect: true });
  const subscriber = publisher.duplicate();
  await Promise.all([publisher.connect(), subscriber.connect()]);
  const create = ADAPTER === "sharded" ? createShardedAdapter : createAdapter;
  return create(publisher, subscriber);
}

const httpServer = createServer((_request, response) => response.writeHead(404).end());
const io = new Server(httpServer, {
  serveClient: false,
  perMessageDeflate: false,
  ...(REDIS_URL && { adapter: await redisAdapter() }),
  ...(RECOVERY === "1" && {
    connectionStateRecovery: { maxDisconnectionDuration: 120_000, skipMiddlewares: false },
  }),
});

// The documentation's advice against memory use: nothing here reads the first request of a session.
io.engine.on("connection", (rawSocket) => {
  rawSocket.request = null;
});

io.use((socket, next) => {
  const token = socket.handshake.auth?.token;
  if (!token) {
    next(new Error("Authentication error: no token"));
    return;
  }
  try {
    socket.data.userId = jwt.verify(token, JWT_SECRET, { algorithms: ["HS256"] }).userId;
  } catch {
    next(new Error("Authentication error: invalid token"));
    return;
  }
  next();
});

const NOT_FOUND = { success: false, message: "Conversation not found" };

/** The conversation, if this user takes part in it. */
function conversationFor(userId, id) {
  const conversation = typeof id === "string" ? directory.conversations.get(id) : undefined;
  return conversation?.participants.includes(userId) ? conversation : undefined;
}

function refusal(text) {
  if (text === undefined || text === null) return "Message text is required";
  if (typeof text !== "string" || text.includes("\u0000")) return "Invalid message";
  if (text.trim() === "") return "Message text is required";
  if (text.length > 2000) return "Message is too long (maximum 2000 characters)";
  return undefined;
}

/** The first 60 UTF-16 units, less the half of a pair that the cut would leave. */
function preview(text) {
  const cut = text.slice(0, 60);
  return text.length > 60 && !cut.isWellFormed() ? cut.slice(0, 59) : cut;
}

async function sendMessage(userId, payload) {
  if (typeof payload !== "object" || payload === null) return { success: false, message: "Invalid message" };
  const conversation = conversationFor(userId, payload.conversation_id);
  if (!conversation) return NOT_FOUND;
  const refused = refusal(payload.text);
  if (refused) return { success: false, message: refused };

  const text = payload.text.toWellFormed();
  const message = {
    _id: newId(),
    conversation_id: conversation.id,
    sender_id: directory.profile(userId),
    text,
    is_read: false,
    sent_at: new Date().toISOString(),
  };
  try {
    await store.append(message, userId);
  } catch (error) {
    console.error("store failed:", error);
    return { success: false, message: "Error sending message" };
  }
  io.to(`conv:${conversation.id}`).emit("new_message", message);
  const [first, second] = conversation.participants;
  io.to(`user:${first === userId ? second : first}`).emit("message_notification", {
    conversation_id: conversation.id,
    sender: userId,
    preview: preview(text),
  });
  return { success: true, data: message };
}

io.on("connection", (socket) => {
  const { userId } = socket.data;
  socket.join(`user:${userId}`);

  socket.on("join_conversation", (id, acknowledge) => {
    const conversation = conversationFor(userId, id);
    if (conversation) socket.join(`conv:${conversation.id}`);
    acknowledge?.(conversation ? { success: true } : NOT_FOUND);
  });

  socket.on("send_message", async (payload, acknowledge) => {
    const outcome = await sendMessage(userId, payload);
    acknowledge?.(outcome);
  });

  for (const event of ["typing", "stop_typing"]) {
    socket.on(event, (id, acknowledge) => {
      const conversation = conversationFor(userId, id);
      if (conversation) {
        socket.to(`conv:${conversation.id}`).emit(`user_${event}`, { userId, conversation_id: conversation.id });
      }
      acknowledge?.(conversation ? { success: true } : NOT_FOUND);
    });
  }
});

// The default backlog of 511 would drop what connects at once; the kernel caps this at its own limit.
httpServer.listen({ host: HOST, port: Number(PORT), backlog: 16_384 });

process.once("SIGTERM", async () => {
  io.close();
  await store.close();
  process.exit(0);
});
