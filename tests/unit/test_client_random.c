/* test_client_random.c: a server that keeps to the protocol and uses every freedom that it leaves,
 * at random and by a seed, over a network that loses packets; and one that does not keep to it.
 *
 * The first: it skips live messages, tells only later that it did, answers part of what was asked,
 * or nothing, or "slow down", aborts, goes away and comes back, doubles; programs end and start
 * again in the middle. In the end everything that was said is in the log once, and the program has
 * heard all of the log, once and in order.
 */
#include "stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define LOBBY   2014
#define LOG_MAX 4000
#define BATCH   60

/* One number of the log. */
struct entry {
    char id[LAZYCHAT_ID_SIZE]; /* of the client's own; else empty */
    int64_t target;            /* a reaction to it; 0: a say */
    int64_t changed, reactions;
};

static struct {
    struct entry log[LOG_MAX + 1];
    int64_t head;
    uint64_t random;
    bool kind; /* no more tricks */
    bool welcome;
    char said[LOG_MAX][LAZYCHAT_ID_SIZE];
    size_t said_count;
    unsigned int tricks[8];
} model;

enum { SKIPPED, PARTLY, SILENT, SLOW, ABORTED, AWAY, DOUBLED, RESTARTED };

static uint64_t
draw(uint64_t below)
{
    model.random ^= model.random >> 12;
    model.random ^= model.random << 25;
    model.random ^= model.random >> 27;
    return ((model.random * UINT64_C(2685821657736338717)) >> 33) % below;
}

/* Should this trick be played now? */
static bool
trick(int which, uint64_t percent)
{
    if (model.kind || draw(100) >= percent)
        return false;
    model.tricks[which]++;
    return true;
}

static bool
is_up(void)
{
    const struct stage_port *port = stage_port(LOBBY);

    return port->endpoint != NULL && endpoint_associations(port->endpoint) > 0 && model.welcome;
}

/* ---- The model server ---- */

static void
write_entry(char *text, size_t size, int64_t seq, bool folded)
{
    const struct entry *entry = &model.log[seq];
    char id[64] = "", changes[128] = "";

    if (entry->id[0] != '\0')
        snprintf(id, sizeof(id), ",'id':'%s'", entry->id);
    if (entry->target != 0) {
        snprintf(text, size,
                 "{'t':'reacted','seq':%lld,'at':1,'from':9,'nick':'bob','target':%lld,'emoji':'x',"
                 "'on':true}",
                 (long long)seq, (long long)entry->target);
        return;
    }
    if (folded && entry->reactions > 0)
        snprintf(changes, sizeof(changes),
                 ",'changed':%lld,'reactions':[{'emoji':'x','count':%lld}]",
                 (long long)entry->changed, (long long)entry->reactions);
    snprintf(text, size, "{'t':'say','seq':%lld,'at':1,'from':%d,'nick':'n','text':'m%lld'%s%s}",
             (long long)seq, entry->id[0] != '\0' ? 7 : 9, (long long)seq, id, changes);
}

static void
send_live(int64_t seq)
{
    char text[400];

    if (!is_up() || trick(SKIPPED, 15))
        return;
    write_entry(text, sizeof(text), seq, false);
    stage_say(LOBBY, "%s", text);
    if (trick(DOUBLED, 3))
        stage_say(LOBBY, "%s", text);
}

static int64_t
append(const char *id, int64_t target)
{
    struct entry *entry = &model.log[++model.head];

    assert_true(model.head <= LOG_MAX);
    snprintf(entry->id, sizeof(entry->id), "%s", id);
    entry->target = target;
    if (target != 0) {
        model.log[target].reactions++;
        model.log[target].changed = model.head;
    }
    return model.head;
}

/* The numbers from..until, folded, and the older ones that they changed. */
static void
send_batch(int64_t from, int64_t until)
{
    char text[16000];
    size_t used = (size_t)snprintf(text, sizeof(text),
                                   "{'t':'batch','from':%lld,'until':%lld,'first':1,'head':%lld,"
                                   "'items':[",
                                   (long long)from, (long long)until, (long long)model.head);
    bool first = true;

    for (int64_t seq = 1; seq <= until; seq++) {
        bool changed = false;

        for (int64_t by = from; by <= until && seq < from; by++)
            changed = changed || model.log[by].target == seq;
        if (model.log[seq].target != 0 || (seq < from && !changed))
            continue;
        if (!first)
            text[used++] = ',';
        first = false;
        write_entry(text + used, sizeof(text) - used, seq, true);
        used += strlen(text + used);
    }
    stage_say(LOBBY, "%s]}", text);
}

static void
took_history(const json_t *json)
{
    int64_t since = stage_number(json, "since"), until = stage_number(json, "until");

    if (trick(SILENT, 5))
        return;
    if (trick(SLOW, 5)) {
        stage_say(LOBBY, "{'t':'error','code':'slow-down','text':'no','retry':700}");
        return;
    }
    until = until < 0 || until > model.head ? model.head : until;
    if (until > since + BATCH)
        until = since + BATCH;
    if (until > since + 1 && trick(PARTLY, 20))
        until = since + 1 + (int64_t)draw((uint64_t)(until - since - 1));
    send_batch(since + 1, until);
}

static void
took_join(const json_t *json)
{
    int64_t since = stage_number(json, "since");

    model.welcome = true;
    stage_say(LOBBY,
              "{'t':'welcome','protocol':1,'room':'lobby','port':2014,'log':'L','head':%lld,"
              "'first':1,'people':1,'roster':1,'account':7,'nick':'ann','verified':false}",
              (long long)model.head);
    if (since >= 0 && since < model.head)
        took_history(json);
}

static void
took_say(const json_t *json)
{
    const char *id = json_string_value(json_object_get(json, "id"));
    char text[400];

    assert_non_null(id);
    if (trick(SLOW, 3)) {
        stage_say(LOBBY, "{'t':'error','code':'slow-down','text':'no','id':'%s','retry':500}", id);
        return;
    }
    for (int64_t seq = 1; seq <= model.head; seq++)
        if (strcmp(model.log[seq].id, id) == 0) {
            write_entry(text, sizeof(text), seq, false);
            stage_say(LOBBY, "%s", text);
            return;
        }
    send_live(append(id, 0));
}

static void
took(struct stage_port *port, json_t *json)
{
    const char *type = json_string_value(json_object_get(json, "t"));

    (void)port;
    if (strcmp(type, "join") == 0)
        took_join(json);
    else if (strcmp(type, "say") == 0)
        took_say(json);
    else if (strcmp(type, "history") == 0)
        took_history(json);
    else
        fail_msg("not expected: %s", type);
}

static void
serve(void)
{
    stage_listen(LOBBY)->on_message = took;
    model.welcome = false;
}

/* ---- What happens ---- */

static char directory[64];
static struct lazychat_config config;

static void
restart_client(void)
{
    stage_end_client();
    stage_begin_client(&config);
    stage_join(STAGE_HOST);
}

static void
say_something(void)
{
    assert_int_equal(lazychat_say(stage.room, "x", model.said[model.said_count++]), 0);
}

static void
react(void)
{
    int64_t target = 1 + (int64_t)draw((uint64_t)model.head);

    if (model.log[target].target == 0)
        send_live(append("", target));
}

static void
happens(bool restarts)
{
    switch (draw(8)) {
    case 0:
    case 1:
    case 2:
        send_live(append("", 0));
        break;
    case 3:
        react();
        break;
    case 4:
    case 5:
        say_something();
        break;
    case 6:
        if (is_up())
            stage_say(LOBBY, "{'t':'head','head':%lld,'first':1}", (long long)model.head);
        break;
    default:
        if (is_up() && trick(ABORTED, 15)) {
            endpoint_abort(stage_port(LOBBY)->endpoint, stage_port(LOBBY)->assoc);
            model.welcome = false;
        } else if (trick(AWAY, 5)) {
            stage_unlisten(LOBBY);
            model.welcome = false;
            stage_pass((int64_t)draw(20000));
            serve();
        } else if (restarts && trick(RESTARTED, 10)) {
            restart_client();
        }
    }
    stage_turn(1 + (int64_t)draw(200));
}

/* What the program would show: how many reactions each say has, by what it was told. */
static void
check_reactions(void)
{
    static int64_t shown[LOG_MAX + 1];

    memset(shown, 0, sizeof(shown));
    for (size_t i = 0; i < stage.heard_count; i++) {
        const struct stage_heard *heard = &stage.heard[i];

        if (heard->kind == LAZYCHAT_SAY || heard->kind == LAZYCHAT_CHANGED)
            shown[heard->seq] = heard->reactions;
        else if (!heard->applied)
            shown[heard->target]++;
    }
    for (int64_t seq = 1; seq <= model.head; seq++)
        if (model.log[seq].target == 0)
            assert_int_equal(shown[seq], model.log[seq].reactions);
}

static void
check_order(void)
{
    static unsigned int times[LOG_MAX + 1];
    int64_t last = 0;

    memset(times, 0, sizeof(times));
    for (size_t i = 0; i < stage.heard_count; i++) {
        const struct stage_heard *heard = &stage.heard[i];

        if (heard->kind == LAZYCHAT_CHANGED) {
            assert_true(heard->seq <= last);
            continue;
        }
        assert_true(heard->seq > last);
        last = heard->seq;
        times[last]++;
    }
    for (int64_t seq = 1; seq <= model.head; seq++)
        if (model.log[seq].target == 0)
            assert_int_equal(times[seq], 1);
}

static void
check_said(void)
{
    assert_int_equal(lazychat_unsent(stage.chat), 0);
    for (size_t i = 0; i < model.said_count; i++) {
        unsigned int times = 0;

        for (int64_t seq = 1; seq <= model.head; seq++)
            times += strcmp(model.log[seq].id, model.said[i]) == 0;
        assert_int_equal(times, 1);
    }
}

static void
remove_store(void)
{
    static const char *const names[] = {"lock", "lazychat.db", "lazychat.db-wal"};
    char path[128];

    for (size_t i = 0; i < 3; i++) {
        snprintf(path, sizeof(path), "%s/%s", directory, names[i]);
        unlink(path);
    }
    rmdir(directory);
}

static void
run(uint64_t seed, bool restarts)
{
    const struct fake_config network = {seed, 50, 20, 5, 30};

    memset(&model, 0, sizeof(model));
    model.random = seed * 2 + 1;
    strcpy(directory, "/tmp/lazychat-random-XXXXXX");
    assert_non_null(mkdtemp(directory));
    config = (struct lazychat_config){.store = restarts ? directory : NULL, .last = 0};
    stage_open(&config, &network);
    stage_port(LOBBY)->on_message = took;
    stage_join(STAGE_HOST);
    stage_until(is_up() && lazychat_room_joined(stage.room));
    append("", 0);
    for (int i = 0; i < 1500; i++)
        happens(restarts);
    model.kind = true;
    stage_until(is_up());
    append("", 0);
    stage_until(lazychat_unsent(stage.chat) == 0);
    stage_say(LOBBY, "{'t':'head','head':%lld,'first':1}", (long long)model.head);
    for (int64_t seen = model.head; stage.room->sequence.seen < seen;) {
        stage_pass(1000);
        if (is_up())
            stage_say(LOBBY, "{'t':'head','head':%lld,'first':1}", (long long)model.head);
    }
    check_order();
    check_reactions();
    check_said();
}

static uint64_t runs = 12;

static void
test_any_server(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= runs; seed++) {
        run(seed, seed % 2 == 0);
        print_message("# seed %2d: %4lld numbers, %3zu said; skipped %u, partly %u, silent %u, "
                      "slow-down %u, aborted %u, away %u, doubled %u, programs ended %u\n",
                      (int)seed, (long long)model.head, model.said_count, model.tricks[SKIPPED],
                      model.tricks[PARTLY], model.tricks[SILENT], model.tricks[SLOW],
                      model.tricks[ABORTED], model.tricks[AWAY], model.tricks[DOUBLED],
                      model.tricks[RESTARTED]);
        stage_close();
        remove_store();
    }
}

/* ---- Hostile ---- */

static const char *const seeds[] = {
    "{'t':'welcome','protocol':1,'room':'lobby','port':2014,'log':'L','head':9,'first':1,"
    "'people':1,'roster':1,'account':7,'nick':'ann','verified':false}",
    "{'t':'say','seq':11,'at':1,'from':7,'nick':'bob','id':'abc','text':'m'}",
    "{'t':'say','seq':12,'at':1,'from':9,'nick':'bob','redacted':true,'changed':14}",
    "{'t':'edited','seq':13,'at':1,'from':9,'nick':'bob','target':11,'text':'m'}",
    "{'t':'redacted','seq':14,'at':1,'from':9,'nick':'bob','target':11}",
    "{'t':'reacted','seq':15,'at':1,'from':9,'nick':'bob','target':11,'emoji':'x','on':true}",
    "{'t':'topic','seq':16,'at':1,'from':9,'nick':'bob','text':'x'}",
    "{'t':'batch','from':10,'until':13,'first':1,'head':20,'items':[{'t':'say','seq':11,'at':1,"
    "'from':9,'nick':'bob','text':'m','changed':12,'reactions':[{'emoji':'x','count':1}]},"
    "{'t':'say','seq':13,'at':1,'from':9,'nick':'bob','text':'m'}]}",
    "{'t':'head','head':20,'first':1}",
    "{'t':'heads','items':[{'room':'dev','head':9,'said':8}]}",
    "{'t':'presence','roster':2,'people':2,'in':[{'account':9,'nick':'b'}],'out':[{'account':1}]}",
    "{'t':'names','roster':2,'people':2,'items':[{'account':9,'nick':'bob','idle':4}],'next':9}",
    "{'t':'rooms','items':[{'room':'dev','port':2015,'topic':'','people':1}],'next':9}",
    "{'t':'room','room':'dev','port':2015,'new':true}",
    "{'t':'you','account':7,'nick':'ann','verified':false}",
    "{'t':'read','room':'lobby','seq':9,'unread':1}",
    "{'t':'typing','from':9,'nick':'bob','on':true}",
    "{'t':'whisper','at':1,'from':9,'nick':'bob','to':'ann','text':'psst'}",
    "{'t':'found','text':'m','items':[{'t':'say','seq':6,'at':1,'from':9,'nick':'b','text':'m'}]}",
    "{'t':'error','code':'slow-down','text':'no','id':'abc','retry':10}",
};

/* Numbers become others, near ones and extreme ones; now and then any byte does. */
static size_t
mutate(char *text, size_t size, const char *from)
{
    static const char *const extreme[] = {"0",
                                          "-1",
                                          "9007199254740991",
                                          "9007199254740992",
                                          "1e9",
                                          "null",
                                          "[]",
                                          "99999999999999999999",
                                          "1"};
    int64_t near = draw(3) > 0 ? stage.room->sequence.seen : 10;
    size_t used = 0;

    while (*from != '\0' && used + 32 < size) {
        bool digit = *from >= '0' && *from <= '9';

        if (digit && draw(3) == 0) {
            if (draw(30) == 0)
                used += (size_t)snprintf(text + used, size - used, "%s",
                                         extreme[draw(sizeof(extreme) / sizeof(extreme[0]))]);
            else
                used += (size_t)snprintf(text + used, size - used, "%lld",
                                         (long long)(near + (int64_t)draw(12) - 3));
            while (*from >= '0' && *from <= '9')
                from++;
            continue;
        }
        text[used++] = (char)(*from == '\'' ? '"' : *from);
        from++;
    }
    if (draw(20) == 0)
        text[draw(used)] = (char)draw(256);
    if (draw(20) == 0)
        used = 1 + draw(used);
    return used;
}

static int64_t hostile_last;
static unsigned int hostile_heard, hostile_joined;

static void
on_hostile_message(void *user, struct lazychat_room *room, const struct lazychat_message *message)
{
    (void)user;
    (void)room;
    if (message->kind == LAZYCHAT_CHANGED)
        return;
    assert_true(message->seq > hostile_last);
    hostile_last = message->seq;
    hostile_heard++;
}

/* After a welcome the numbers may be of another log. */
static void
on_hostile_event(void *user, struct lazychat_room *room, const struct lazychat_event *event)
{
    (void)user;
    (void)room;
    if (event->type != LAZYCHAT_JOINED)
        return;
    hostile_joined++;
    hostile_last = 0;
}

static void
ignore(struct stage_port *port, json_t *json)
{
    (void)port;
    (void)json;
}

/* Its association is there, and has been welcomed as often as not. */
static void
wait_for_client(struct stage_port *port, unsigned int *ups)
{
    struct address address;

    stage_until(endpoint_peer(port->endpoint, port->assoc, &address));
    if (*ups == port->ups)
        return;
    *ups = port->ups;
    stage_turn(20);
    stage_turn(20);
    if (draw(4) > 0 && endpoint_peer(port->endpoint, port->assoc, &address))
        stage_say(LOBBY, "%s", seeds[0]);
}

static void
test_hostile_server(void **state)
{
    const struct lazychat_config hostile = {
        .on_message = on_hostile_message, .on_event = on_hostile_event, .last = 5};
    struct stage_port *port;
    unsigned int ups = 0;
    char text[4000];

    (void)state;
    memset(&model, 0, sizeof(model));
    model.random = 4711;
    stage_open(&hostile, NULL);
    port = stage_port(LOBBY);
    port->on_message = ignore;
    stage_join(STAGE_HOST);
    for (int i = 0; i < 100000; i++) {
        size_t which = draw(sizeof(seeds) / sizeof(seeds[0]));
        size_t length = mutate(text, sizeof(text), seeds[which]);

        wait_for_client(port, &ups);
        if (endpoint_associations(port->endpoint) > 0)
            stage_send(port, text, length);
        if (draw(10) == 0)
            stage_turn(1 + (int64_t)draw(100));
        if (draw(50) == 0) /* the program goes on living */
            lazychat_say(stage.room, "x", NULL);
        if (draw(50) == 0)
            lazychat_history(stage.room, 5, 5);
        if (draw(100) == 0)
            endpoint_abort(port->endpoint, port->assoc);
    }
    print_message("# heard %u, joined %u times, %u associations\n", hostile_heard, hostile_joined,
                  port->ups);
    assert_true(hostile_heard > 1000 && hostile_joined > 100);
}

static int
end(void **state)
{
    (void)state;
    stage_close();
    return 0;
}

/* `test_client_random RUNS` tries more. */
int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_any_server, end),
        cmocka_unit_test_teardown(test_hostile_server, end),
    };

    if (argc > 1)
        runs = strtoull(argv[1], NULL, 10);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
