/* Lets Mosquitto (2.0 or later) ask the control daemon whether a user of Home Assistant may log in.
 *
 *     plugin_opt_socket PATH    where it listens, a unix socket
 *     plugin_opt_user NAME      who is asked for, once for each; for nobody else a connection is made
 *
 * The question is the name and the password, each after its length in two bytes, high byte first; the answer is one
 * byte: A (may log in), D (may not), anything else, or none in time: it is left to Mosquitto's password file.
 * What a user may read and write is always left to Mosquitto's own list. See addon/shelly_app/broker/logins.py. */

#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include <mosquitto_broker.h>
#include <mosquitto_plugin.h>

/* Of mosquitto.h, which is in another Debian package. */
enum { SUCCESS = 0, INVALID = 3, REFUSED = 11, NOT_MINE = 17, LOG_WARNING = 4, LOG_ERROR = 8 };

/* The broker does nothing else while it waits. */
static const struct timeval patience = {.tv_sec = 5};

static mosquitto_plugin_id_t *self;
static struct sockaddr_un place = {.sun_family = AF_UNIX};
static char **users;
static int user_count;

static int is_ours(const char *name)
{
    for (int i = 0; i < user_count; i++)
        if (strcmp(users[i], name) == 0)
            return 1;
    return 0;
}

static int connected(void)
{
    int line = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (line < 0)
        return -1;
    if (setsockopt(line, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) == 0 &&
        setsockopt(line, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == 0 &&
        connect(line, (const struct sockaddr *)&place, sizeof place) == 0)
        return line;
    close(line);
    return -1;
}

static char answer_to(char *name, char *password)
{
    size_t name_size = strlen(name), password_size = strlen(password);
    unsigned char name_head[] = {name_size >> 8, name_size & 255};
    unsigned char password_head[] = {password_size >> 8, password_size & 255};
    struct iovec parts[] = {{name_head, 2}, {name, name_size}, {password_head, 2}, {password, password_size}};
    struct msghdr question = {.msg_iov = parts, .msg_iovlen = 4};
    char answer = 0;
    int line;
    if (name_size > 65535 || password_size > 65535 || (line = connected()) < 0)
        return 0;
    if (sendmsg(line, &question, MSG_NOSIGNAL) != (ssize_t)(4 + name_size + password_size) ||
        recv(line, &answer, 1, 0) != 1)
        answer = 0;
    close(line);
    return answer;
}

static int on_login(int, void *event_data, void *)
{
    struct mosquitto_evt_basic_auth *login = event_data;

    if (!login->username || !login->password || !is_ours(login->username))
        return NOT_MINE;
    switch (answer_to(login->username, login->password)) {
    case 'A':
        return SUCCESS;
    case 'D':
        return REFUSED;
    }
    mosquitto_log_printf(LOG_WARNING, "Nobody could tell whether %s may log in", login->username);
    return NOT_MINE;
}

int mosquitto_plugin_version(int count, const int *versions)
{
    for (int i = 0; i < count; i++)
        if (versions[i] == 5)
            return 5;
    return -1;
}

int mosquitto_plugin_init(mosquitto_plugin_id_t *id, void **, struct mosquitto_opt *options, int count)
{
    self = id;
    users = calloc(count > 0 ? count : 1, sizeof *users);
    for (int i = 0; users && i < count; i++) {
        if (strcmp(options[i].key, "user") == 0 && (users[user_count] = strdup(options[i].value)))
            user_count++;
        if (strcmp(options[i].key, "socket") == 0 && strlen(options[i].value) < sizeof place.sun_path)
            strcpy(place.sun_path, options[i].value);
    }
    if (!users || !place.sun_path[0]) {
        mosquitto_log_printf(LOG_ERROR, "ask_control: plugin_opt_socket is missing or longer than 107 bytes");
        return INVALID;
    }
    return mosquitto_callback_register(id, MOSQ_EVT_BASIC_AUTH, on_login, NULL, NULL);
}

int mosquitto_plugin_cleanup(void *, struct mosquitto_opt *, int)
{
    while (user_count > 0)
        free(users[--user_count]);
    free(users);
    return mosquitto_callback_unregister(self, MOSQ_EVT_BASIC_AUTH, on_login, NULL);
}
