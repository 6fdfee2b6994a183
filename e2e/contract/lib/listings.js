// What a server answers about the conversations that the platform makes, and about what it shows of horses.
import { Server } from "../../lib/server.js";

/** `ask` sends a request, and compares the answer with the document; `admin` is the token of an admin. */
export async function showListings(t, ask, admin) {
  const server = await Server.start(t);
  const { token: seller } = await server.register("Seller");
  const asked = (status, method, path, body) => ask(server, status, method, `/api/admin/${path}`, { token: admin, body });
  const listing = { title: "Luna", image_url: "https://img.example/luna.jpg", url: "https://example.com/luna", price: "9 500 €", status: "sold", custom: { stable: 7 } };
  const made = { participants: ["ana", "bea"], horse_id: "luna", listing };
  const { data } = await asked(201, "PUT", "conversations", made);
  await asked(200, "PUT", "conversations", { ...made, listing: null });
  await asked(422, "PUT", "conversations", { participants: ["ana"] });
  const path = `conversations/${data._id}`;
  await asked(200, "GET", path);
  await asked(404, "GET", "conversations/unknown");
  await asked(200, "PATCH", path, { listing });
  await asked(404, "PATCH", "conversations/unknown", { listing });
  await asked(422, "PATCH", path, { listing: 7 });
  await asked(200, "PATCH", "listings/luna", listing);
  await asked(422, "PATCH", "listings/luna", {});
  for (const [method, of] of [["PUT", "conversations"], ["GET", path], ["PATCH", path], ["PATCH", "listings/luna"]]) {
    await ask(server, 403, method, `/api/admin/${of}`, { token: seller });
  }
  server.limitFiles(0);
  await asked(500, "PUT", "conversations", made);
  await asked(500, "PATCH", path, { listing });
  await asked(500, "PATCH", "listings/luna", listing);
}
