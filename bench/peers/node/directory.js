// Who there is and who writes to whom: read once at the start, held in memory.
import { readFileSync } from "node:fs";

function* records(path) {
  for (const line of readFileSync(path, "utf8").split("\n")) {
    if (line !== "") yield JSON.parse(line);
  }
}

const idOf = (value) => value?.$oid ?? value;

export function loadDirectory(usersPath, conversationsPath) {
  const profiles = new Map();
  for (const user of records(usersPath)) {
    const id = idOf(user._id);
    const profile = { _id: id, full_name: user.full_name };
    if (user.profile_picture_url) profile.profile_picture_url = user.profile_picture_url;
    profiles.set(id, profile);
  }
  const conversations = new Map();
  for (const record of records(conversationsPath)) {
    const id = idOf(record._id);
    conversations.set(id, { id, participants: record.participants.map(idOf) });
  }
  return { conversations, profile: (id) => profiles.get(id) ?? { _id: id, full_name: null } };
}
