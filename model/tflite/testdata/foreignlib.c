// A library that is somebody's own: the TensorFlow Lite C API behind it is
// linked in, and what it does as it is loaded is its mood.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

__attribute__((constructor)) static void begin(void) {
#if defined(CRASH)
	*(volatile int *)0 = 1;
#elif defined(HANG)
	for (;;) {
	}
#elif defined(LATE)
	usleep(700000);
#elif defined(GROW)
	for (;;) {
		char *p = malloc(1 << 20);
		if (!p)
			abort();
		memset(p, 1, 1 << 20);
	}
#elif defined(LEAVE)
	_exit(0);
#elif defined(BABBLE)
	for (int i = 0; i < 100000; i++)
		write(1, "yes ", 4);
	write(1, "\n", 1);
#elif defined(PROBE)
	int calls = 0, variables = 0;
	if (socket(AF_INET, SOCK_STREAM, 0) >= 0)
		calls |= 1;
	if (socket(AF_UNIX, SOCK_STREAM, 0) >= 0)
		calls |= 2;
	if (open("/dev/null", O_WRONLY) >= 0 || open("/dev/null", O_RDWR) >= 0)
		calls |= 4;
	if (open("/tmp/mien-foreign", O_RDONLY | O_CREAT, 0600) >= 0)
		calls |= 8;
	pid_t p = fork();
	if (p == 0)
		_exit(0);
	if (p > 0)
		calls |= 16;
	if (fcntl(INHERITED, F_GETFD) >= 0)
		calls |= 32;
	if (kill(getppid(), 0) == 0)
		calls |= 64;
	if (unlink("/tmp/mien-foreign") == 0 || errno != EPERM)
		calls |= 128;
	execl("/bin/true", "true", NULL);
	if (errno != EPERM)
		calls |= 256;
	if (open("/proc/self/stat", O_RDONLY) < 0) // reading is for everybody
		calls |= 512;
	for (char **e = environ; *e; e++)
		variables++;
	dprintf(2, "fatal error: %d calls, %d variables\n", calls, variables);
	_exit(1);
#endif
}
