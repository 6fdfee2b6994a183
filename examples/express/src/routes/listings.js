// Horses for sale. A buyer opens the conversation with the seller in the page, with their own token.
import { Router } from "express";
import { Refusal, signedIn, text, texts } from "../requests.js";

const STATES = ["available", "reserved", "sold"];

export function listings({ data, tokens }) {
  const { Listing } = data;
  const router = Router();

  const listingOf = async (id) => {
    const listing = await Listing.findById(id);
    if (!listing) throw new Refusal(404, "No such listing");
    return listing;
  };

  router.get("/listings", async (request, response) => {
    response.json(await Listing.find());
  });

  router.post("/listings", signedIn({ tokens, data }), async ({ user, body }, response) => {
    const fields = { title: text(body, "title"), price: text(body, "price"), status: "available" };
    response.status(201).json(await Listing.create({ ...fields, seller_id: String(user._id) }));
  });

  router.patch("/listings/:id", signedIn({ tokens, data }), async ({ user, params, body }, response) => {
    const listing = await listingOf(params.id);
    if (listing.seller_id !== String(user._id)) throw new Refusal(403, "Only the seller can change a listing");
    const changes = texts(body, ["title", "price", "status"]);
    if (changes.status && !STATES.includes(changes.status)) throw new Refusal(422, `status is one of ${STATES.join(", ")}`);
    const changed = await Listing.findByIdAndUpdate(params.id, changes, { new: true });
    response.json(changed);
  });

  return router;
}
