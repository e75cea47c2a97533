#!/usr/bin/env python3
"""The torture test: a server and 50 clients under load; what can fail fails, at random moments; nothing is lost.

Round kinds, drawn by a seed that is printed and may be given:

  server   the server is killed (-9) and started again on the same directory and port
  clients  some clients are killed and started again on their stores
  network  some sites, or the server, are cut off for a while: see network.py
  both     the three at once

Then the load ends and all has to become quiet, and these must hold:

  1. Every message that a client got acknowledged (its own `say` came back with a number) is in the log once, under that
     number and with its text. The log is read twice: by `history` from number 1, and from log.db itself.
  2. The log's numbers are 1, 2, 3... without a gap, and hold nothing that nobody said.
  3. Every client has printed the same numbers with the same contents, from where it joined to the end, in order,
     without a hole or a duplicate. This spans its lives: a new one must go on exactly behind what its store had as
     seen when it was killed (the test looks), and that must not be more than it had printed. So a line is printed
     twice only if the client was killed in the turn in which it printed it: these are counted, and allowed.
  4. Whatever was said is acknowledged in the end; no store has anything unsent.
  5. The log has the messages of each speaker in the order in which they were said.
  6. No program dies of itself, or ends otherwise than with status 0 (a client that cannot come in at first may, and is
     started again); no sanitizer says anything; each client stays the same account.

The last line is `N rounds, N messages acknowledged, N lost, N doubled`; the status is 1 if anything is wrong, and then
the directory with all logs stays and is named. 77: networks cannot be cut here, and --need-network was given. The seed
gives the same plan, not the same moment in each program.

LAZYCHATD and LAZYCHAT name other binaries than those of build/.
"""

import argparse
import math
import os
import random
import shutil
import socket
import sqlite3
import sys
import tempfile
import time

from crowd import Crowd, Findings, Server, wait_until
from log import read_database, read_history
from network import Cable, Network, SERVER, Unavailable

BUILD = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "build"))
LAZYCHATD = os.path.abspath(os.environ.get("LAZYCHATD", BUILD + "/server/lazychatd"))
LAZYCHAT = os.path.abspath(os.environ.get("LAZYCHAT", BUILD + "/client/lazychat"))
KINDS = {"server": 60, "clients": 12, "network": 12, "both": 16}  # of 100
SITES = 5
QUIET = 180  # s until all must be quiet: pauses grow to 45 s, and a lost association may take as long to be noticed


def arguments():
    parser = argparse.ArgumentParser(prog="torture", description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("rounds", nargs="?", type=int, default=100)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--rate", type=float, default=3, help="messages a second that each client says; default 3")
    parser.add_argument("--kinds", default=",".join(KINDS), help=f"of {', '.join(KINDS)}; default all")
    parser.add_argument("--cut", default="5-60", metavar="FROM-TO", help="seconds of a cut; default 5-60")
    # A client that was in for 5 s comes back at once, others after growing pauses.
    parser.add_argument("--calm", type=float, default=5.5, help="seconds that pass after every other blow; default 5.5")
    parser.add_argument("--need-network", action="store_true", help="do nothing (77) where networks cannot be cut")
    parser.add_argument("--durability", choices=("full", "normal"), help="default: another one each time")
    parser.add_argument("--keep", action="store_true", help="keep the directory in any case")
    options = parser.parse_args()
    options.kinds = options.kinds.split(",")
    options.cut = [float(number) for number in options.cut.split("-")]
    if set(options.kinds) - set(KINDS) or len(options.cut) != 2 or options.rounds < 1:
        parser.error("see --help")
    options.seed = random.randrange(1 << 32) if options.seed is None else options.seed
    return options


class Torture:
    def __init__(self, options, directory, tell):
        self.options, self.directory, self.tell = options, directory, tell
        self.random = random.Random(options.seed)
        self.findings = Findings(tell)
        self.network = self._network()
        self.kills = self.client_kills = self.cuts = 0
        prefixes, listen, host, port, prefix = [[]] * options.clients, None, "127.0.0.1", 0, []
        if self.network:
            sites = self.network.sites
            prefixes = [sites[number % SITES].prefix for number in range(options.clients)]
            listen, host, port, prefix = "udp:0.0.0.0:9899", SERVER, 9899, self.network.server.prefix
        else:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
                free.bind(("127.0.0.1", 0))
                port = free.getsockname()[1]
            listen = f"udp:127.0.0.1:{port}"
        self.server = Server(LAZYCHATD, directory, self.findings, prefix, listen)
        self.crowd = Crowd(LAZYCHAT, directory, self.findings, options.seed, host, port, prefixes, options.rate)

    def _network(self):
        """With namespaces when there can be; without, nothing is cut, and `both` is the kills alone."""
        try:
            return Network(SITES)
        except Unavailable as why:
            if self.options.need_network:
                raise
            self.tell(f"the network is not cut here: {why}")
            self.options.kinds = [kind if kind != "network" else "server" for kind in self.options.kinds]
            return None

    # ---- What fails ----

    def durability(self):
        return self.options.durability or self.random.choice(("full", "normal"))

    def kill_server(self):
        """Back after up to half a second; sometimes killed once more before it is ready."""
        self.server.kill()
        self.kills += 1
        time.sleep(self.random.choice((0, self.random.uniform(0, 0.5))))
        self.server.start(self.durability())
        if self.random.random() < 0.1:
            time.sleep(self.random.uniform(0, 0.05))
            self.server.kill()
            self.kills += 1
            self.server.start(self.durability())
        self.server.wait_ready()

    def kill_clients(self):
        victims = self.random.sample(self.crowd.clients, self.random.randint(1, max(1, len(self.crowd.clients) // 3)))
        for client in victims:
            self.crowd.kill(client)
            time.sleep(self.random.uniform(0, 0.05))
        time.sleep(self.random.uniform(0, 0.5))
        for client in victims:
            self.crowd.revive(client)
        self.client_kills += len(victims)
        return len(victims)

    def cut(self):
        """Of some sites, or of the server. Returns what to mend, and what it was."""
        if self.random.random() < 0.3:
            cables = [self.network.trunk]
        else:
            cables = self.random.sample(self.network.cables, self.random.randint(1, SITES - 1))
        for cable in cables:
            cable.cut(self.random.choice(Cable.KINDS))
        self.cuts += 1
        return cables, " ".join(f"{cable.name}:{cable.kind}" for cable in cables)

    def cut_seconds(self):
        """Short ones are more likely."""
        low, high = self.options.cut
        return math.exp(self.random.uniform(math.log(low), math.log(high)))

    # ---- Rounds ----

    def linger(self):
        """Until the next blow: at once, or when all who can are in for so long that their pauses begin anew."""
        if self.random.random() < 0.5:
            time.sleep(self.random.uniform(0, 2.5))
            return
        before = {client: client.welcomes for client in self.crowd.clients}
        wait_until(lambda: all(client.welcomes > before[client] for client in self.crowd.clients), 2)
        time.sleep(self.options.calm + self.random.uniform(0, 1))

    def round_server(self):
        self.kill_server()
        self.linger()
        return ""

    def round_clients(self):
        count = self.kill_clients()
        time.sleep(self.random.uniform(0.5, 2))
        return f"{count} killed"

    def round_network(self):
        cables, what = self.cut()
        seconds = self.cut_seconds()
        time.sleep(seconds)
        for cable in cables:
            cable.mend()
        self.linger()
        return f"{what} for {seconds:.1f} s"

    def round_both(self):
        cables, what = self.cut() if self.network else ([], "")
        seconds = self.cut_seconds() if cables else 1
        begun = time.monotonic()
        time.sleep(self.random.uniform(0, seconds / 2))
        blows = [self.kill_server, self.kill_clients]
        self.random.shuffle(blows)
        for blow in blows:
            blow()
        time.sleep(max(0, begun + seconds - time.monotonic()))
        for cable in cables:
            cable.mend()
        self.linger()
        return f"{what} for {seconds:.1f} s" if cables else ""

    def plan(self):
        """Each kind at least once, if there are rounds enough."""
        kinds = self.options.kinds
        rest = self.random.choices(kinds, [KINDS[kind] for kind in kinds], k=self.options.rounds)
        plan = (sorted(set(kinds)) + rest)[: self.options.rounds]
        self.random.shuffle(plan)
        return plan

    def run(self):
        self.server.start(self.durability())
        self.server.wait_ready()
        self.crowd.start()
        if not wait_until(lambda: all(client.welcomes for client in self.crowd.clients), 60):
            raise RuntimeError("not all clients came in")
        self.crowd.speaking = True
        time.sleep(self.random.uniform(0, 1))
        for number, kind in enumerate(self.plan(), 1):
            begun = time.monotonic()
            what = getattr(self, "round_" + kind)()
            seconds = time.monotonic() - begun
            said, acknowledged = self.crowd.said(), self.crowd.acknowledged()
            self.tell(f"{number:4} {kind:7} {seconds:5.1f} s, said {said}, acknowledged {acknowledged}  {what}")
        self.become_quiet()
        self.check()

    # ---- The end ----

    def become_quiet(self):
        begun = time.monotonic()
        with self.crowd.lock:
            self.crowd.speaking = False
        if wait_until(self.crowd.is_quiet, QUIET, 0.1):
            self.tell(f"quiet after {time.monotonic() - begun:.1f} s")
        else:
            for client in self.crowd.clients:
                missing = [n for n in range(client.count) if n not in client.acknowledged]
                if missing:
                    self.findings.add_wrong(
                        f"{client.name}: {len(missing)} of {client.count} are not acknowledged after {QUIET} s: {missing[:5]}"
                    )
                behind = self.crowd.head - (client.next or 0) + 1
                if behind > 0:
                    self.findings.add_lost(f"{client.name} is at {client.next} after {QUIET} s: {behind} are missing", behind)
        self.crowd.stop()

    def check(self):
        crowd, findings = self.crowd, self.findings
        command = [*self.server.prefix, LAZYCHAT, "--json", "--raw", "--transport", "udp", "--udp-port", str(crowd.port)]
        history = read_history([*command, crowd.host])
        crowd.end()
        self.server.end()
        database = read_database(self.server.data)
        if history != database:
            differing = next((pair for pair in zip(history, database) if pair[0] != pair[1]), "the length")
            findings.add_wrong(f"history has {len(history)} messages, log.db {len(database)}; they differ in {differing}")
        if len(crowd.logs) != 1:
            findings.add_wrong(f"the log was another one in between: {crowd.logs}")
        self.check_numbers(history)
        self.check_acknowledged(history)
        self.check_heard(history)

    def check_numbers(self, log):
        for number, row in enumerate(log, 1):
            if row[0] != number:
                self.findings.add_lost(f"the log has {row[0]} where {number} should be")
                break

    def check_acknowledged(self, log):
        """Once each, with their texts, in the order of each speaker; and nothing else."""
        crowd, findings = self.crowd, self.findings
        numbers = {}
        last = {client.account: -1 for client in crowd.clients}
        accounts = {client.account: client for client in crowd.clients}
        if len(accounts) != len(crowd.clients):
            findings.add_wrong("several clients have the same account")
        for seq, account, identity, text in log:
            client = accounts.get(account)
            name, _, n = (identity or "").partition("-")
            if client is None or name != client.name or not n.isdigit() or int(n) >= client.count:
                findings.add_wrong(f"the log has {seq}, which nobody said: {account} {identity} {text!r:.100}")
                continue
            n = int(n)
            if (account, n) in numbers:
                findings.add_doubled(f"{identity} is in the log twice: {numbers[account, n]} and {seq}")
                continue
            numbers[account, n] = seq
            if text != crowd.text(client.number, n):
                findings.add_wrong(f"{seq}, {identity}, has another text than what was said: {text!r:.200}")
            if n < last[account]:
                findings.add_wrong(f"{identity}, {seq}, comes after {client.name}-{last[account]}")
            last[account] = max(last[account], n)
        for client in crowd.clients:
            for n, seq in client.acknowledged.items():
                if numbers.get((client.account, n)) != seq:
                    where = numbers.get((client.account, n), "not in the log")
                    findings.add_lost(f"{client.name}-{n} was acknowledged as {seq} and is {where}")
            missing = [n for n in range(client.count) if (client.account, n) not in numbers and n not in client.acknowledged]
            if missing:
                findings.add_wrong(f"{client.name}: {len(missing)} of what it said never came: {missing[:5]}")

    def check_heard(self, log):
        """What they printed is what the log has. That it had no hole was seen as it came."""
        crowd = self.crowd
        rows = {row[0]: row[1:] for row in log}
        for seq, (_, account, _, identity, text) in crowd.truth.items():
            if rows.get(seq) != (account, identity, text):
                self.findings.add_wrong(f"clients printed {(seq, account, identity, text)!r:.200}, the log has {rows.get(seq)}")
        for client in crowd.clients:
            if client.next is None or client.next <= len(log):
                heard = (client.next or 1) - 1
                self.findings.add_lost(f"{client.name} heard up to {heard} of {len(log)}", len(log) - heard)

    def close(self):
        self.crowd.abandon()
        if self.server.process and self.server.is_alive():
            self.server.process.kill()
            self.server.process.wait()
        if self.network:
            self.network.close()


def summary(torture, options):
    crowd = torture.crowd
    repeats = sum(client.repeats for client in crowd.clients)
    lives = sum(client.lives for client in crowd.clients)
    torture.tell(
        f"server killed {torture.kills} times, clients {torture.client_kills} times ({lives} lives), network cut {torture.cuts} times; "
        f"{len(crowd.truth)} numbers, {repeats} lines repeated after a kill; "
        f"clients gave up coming in {crowd.gave_up} times; errors told: {dict(crowd.errors) or 'none'}"
    )
    if torture.findings.wrong:
        torture.tell(f"{torture.findings.wrong} other things wrong")
    torture.tell(
        f"{options.rounds} rounds, {crowd.acknowledged()} messages acknowledged, "
        f"{torture.findings.lost} lost, {torture.findings.doubled} doubled"
    )


def main():
    options = arguments()
    directory = tempfile.mkdtemp(prefix="lazychat-torture-")
    with open(os.path.join(directory, "torture.log"), "w", encoding="utf-8") as log:

        def tell(text):
            print(text, flush=True)
            print(text, file=log, flush=True)

        tell(f"seed {options.seed}, {options.clients} clients, {options.rounds} rounds, {LAZYCHATD}, {LAZYCHAT}")
        try:
            torture = Torture(options, directory, tell)
        except Unavailable as why:
            shutil.rmtree(directory)
            print(f"the network cannot be cut here: {why}", file=sys.stderr)
            return 77
        wrong = True
        try:
            torture.run()
            wrong = bool(torture.findings)
        except (RuntimeError, OSError, sqlite3.Error) as error:
            tell(f"WRONG: {type(error).__name__}: {error}")
            torture.findings.wrong += 1
        finally:
            torture.close()
            if wrong:
                tell(f"all logs are in {directory}; the same plan again: --seed {options.seed}")
            summary(torture, options)
    if not wrong and not options.keep:
        shutil.rmtree(directory)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
