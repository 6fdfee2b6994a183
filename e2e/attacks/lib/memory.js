// What a server's process holds, and the memory that it may have.
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** The recommended memory of a server, in bytes. */
export const RECOMMENDED = 2 * 1024 ** 3;

const field = (pid, name) => Number(readFileSync(`/proc/${pid}/status`, "utf8").match(new RegExp(`${name}:\\s+(\\d+)`))[1]) * 1024;

/** Resident memory, in bytes. */
export const resident = (pid) => field(pid, "VmRSS");

/** The greatest resident memory since {@link forgetPeak}, in bytes; the kernel counts it, so no peak is missed. */
export const peak = (pid) => field(pid, "VmHWM");

/** Counts the greatest resident memory anew from now on (Linux, proc(5), `clear_refs`). */
export const forgetPeak = (pid) => writeFileSync(`/proc/${pid}/clear_refs`, "5");

/** The folders of control groups that limit memory, by version, with the file that sets the limit. */
const GROUPS = [
  { folder: "/sys/fs/cgroup", file: "memory.max", isThere: () => existsSync("/sys/fs/cgroup/cgroup.controllers") },
  { folder: "/sys/fs/cgroup/memory", file: "memory.limit_in_bytes", isThere: () => existsSync("/sys/fs/cgroup/memory/memory.limit_in_bytes") },
];

/**
 * A control group with the recommended memory, for a process with what the kernel holds for it; `undefined` if there is
 * none to be had, for which rights are needed that not everybody has. To be made before its process, so that it is
 * removed after that has ended. The peak of the resident memory is asserted in any case.
 */
export function controlGroup(t, name) {
  const group = GROUPS.find(({ isThere }) => isThere());
  if (!group) return undefined;
  const folder = join(group.folder, `horse-trust-attacks-${process.pid}-${name}`);
  try {
    mkdirSync(folder);
    t.after(() => rmdirSync(folder));
    writeFileSync(join(folder, group.file), `${RECOMMENDED}`);
    return { add: (pid) => writeFileSync(join(folder, "cgroup.procs"), `${pid}`) };
  } catch (error) {
    console.error(`no limit of memory: ${error.message}`);
    return undefined;
  }
}
