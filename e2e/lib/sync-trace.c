/* Preloaded into the server: notes, in the order in which they happen, when a marked message is written to the
   write-ahead log (W), when a sync of the log begins (B) and has ended (S), and when its acknowledgement is about to
   be handed to the kernel (A). Messages are marked by a text of "synced-NUMBER;". With SYNC_FAILS naming a file that
   exists, syncs of the log fail. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#define MARK "synced-"
#define ACKNOWLEDGED "[{\"success\":true"

static void note(char kind, long number) {
  static int trace = -1;
  if (trace < 0) trace = open(getenv("SYNC_TRACE"), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  char line[32];
  int length = snprintf(line, sizeof line, "%c %ld\n", kind, number);
  if (write(trace, line, (size_t)length) != length) abort();
}

static int is_log(int fd) {
  char link[32], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path);
  return length > 4 && memcmp(path + length - 4, "-wal", 4) == 0;
}

/* Notes each marked message in `bytes`. */
static void scan(char kind, const char *bytes, size_t length) {
  const char *end = bytes + length, *found;
  while ((found = memmem(bytes, (size_t)(end - bytes), MARK, sizeof MARK - 1))) {
    bytes = found + sizeof MARK - 1;
    char digits[24] = {0};
    size_t count = 0;
    while (bytes < end && *bytes >= '0' && *bytes <= '9' && count < sizeof digits - 1) digits[count++] = *bytes++;
    if (count && bytes < end && *bytes == ';') note(kind, atol(digits));
  }
}

#define REAL(name) static __typeof__(name) *real; if (!real) real = dlsym(RTLD_NEXT, #name)

ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t offset) {
  REAL(pwrite64);
  ssize_t written = real(fd, bytes, length, offset);
  if (length >= 512 && is_log(fd)) scan('W', bytes, length);
  return written;
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset) { return pwrite64(fd, bytes, length, offset); }

static int synced(int (*real)(int), int fd) {
  if (!is_log(fd)) return real(fd);
  note('B', 0);
  const char *fails = getenv("SYNC_FAILS");
  if (fails && access(fails, F_OK) == 0) return errno = EIO, -1;
  int result = real(fd);
  if (result == 0) note('S', 0);
  return result;
}

int fdatasync(int fd) { REAL(fdatasync); return synced(real, fd); }
int fsync(int fd) { REAL(fsync); return synced(real, fd); }

/* Acknowledgements alone: `new_message` has the text, too. One frame holds one packet. */
static void sent(const char *bytes, size_t length) {
  const char *end = bytes + length, *found;
  while ((found = memmem(bytes, (size_t)(end - bytes), ACKNOWLEDGED, sizeof ACKNOWLEDGED - 1))) {
    const char *stop = memmem(found, (size_t)(end - found), "}]", 2);
    if (!stop) stop = end;
    scan('A', found, (size_t)(stop - found));
    bytes = stop;
  }
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
  REAL(writev);
  for (int index = 0; index < count; index++) sent(parts[index].iov_base, parts[index].iov_len);
  return real(fd, parts, count);
}

ssize_t sendto(int fd, const void *bytes, size_t length, int flags, const struct sockaddr *address, socklen_t size) {
  REAL(sendto);
  sent(bytes, length);
  return real(fd, bytes, length, flags, address, size);
}

ssize_t send(int fd, const void *bytes, size_t length, int flags) { return sendto(fd, bytes, length, flags, NULL, 0); }
