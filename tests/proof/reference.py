"""A janitor as plain and slow as possible: verdicts as docs/deciding.md has them, and nothing else."""

import posixpath
from itertools import product

from tests.proof.reference_words import HERE, OUT, Words, fits, metrics_in, milliseconds


def place(uri):
    scheme, found, path = uri.partition("://")
    if uri.startswith("/") or scheme == "file":
        path = uri if uri.startswith("/") else path.removeprefix("localhost")
        return "file:" + posixpath.normpath("//" + path) if path.startswith("/") else None
    path = posixpath.normpath(path)
    return f"{scheme.lower()}:/{path}" if found and path != "." else None


def inside(inner, outer):
    return inner.startswith(outer + "/")


def overlap(one, other):
    return None not in (one, other) and (one == other or inside(one, other) or inside(other, one))


class Reference(Words):
    """Judges one history by one policy."""

    def __init__(self, history, policy):
        super().__init__(history)
        self.policy, self.own = policy, history["own"]
        self.place = {a: place(x["uri"]) for a, x in self.artifacts.items()}
        self.there = {a for a, x in self.artifacts.items() if x["state"] != "DELETED"}
        pushed = [p for p in self.typed(self.artifacts, "PushedModel") if self.prop(p, "pushed") == 1]
        named = [p for p in pushed if self.prop(p, "pushed_destination")]
        self.standing |= {p for p in named if place(self.prop(p, "pushed_destination")) is None}
        self.destinations = {p: place(self.prop(p, "pushed_destination")) for p in self.standing}
        self.owner = {a: self.owner_of(a) for a in self.artifacts}
        self.groups = {rule["name"]: self.groups_of(rule) for rule in policy["rules"]}
        self.active = {e for e in self.executions if self.is_active(e)}
        fresh = {e for e, x in self.executions.items() if e not in self.acts and self.age(x["updated"]) < 0}
        not_over = {*self.active, *fresh, self.own} - {None}
        self.active_runs = {self.executions[e]["run"] for e in not_over} - {None}
        self.newest = {}
        for e, x in sorted(self.executions.items(), key=lambda item: (item[1]["created"], item[0])):
            if x["state"] in ("COMPLETE", "CACHED") and e not in self.acts:
                self.newest[x["pipeline"], x["node"] or x["type"]] = e
        self.blessed = set().union(*(self.latest_blessed(states) for states in (HERE, HERE[:1])))

    def age(self, moment):
        """Beyond `min_age`: below 0 it is younger."""
        return self.now - moment - max(milliseconds(self.policy.get("min_age", "1d")), 0)

    def is_active(self, e):
        x, stale = self.executions[e], self.policy.get("stale_after")
        silent = self.now - x["updated"]
        running = x["state"] in ("NEW", "RUNNING") and e not in self.acts and e != self.own
        return running and not (stale and silent > milliseconds(stale))

    def owner_of(self, a):
        e = self.producer[a]
        x = self.executions.get(e, {"pipeline": None, "node": None})
        keys = [key for b, f, kind, key, _ in self.events if (b, f) == (a, e) and kind in OUT]
        return {"pipeline": x["pipeline"], "node": x["node"], "output": keys[0] if keys else None}

    def latest_blessed(self, states):
        chosen = {}
        within = {a for a, x in self.artifacts.items() if x["state"] in states}
        models = self.typed(within, "Model")
        pairs = [(self.prop(b, "current_model_id") == m, m, b) for m in models for b in self.blessings(m)]
        for by_id, m, b in sorted(pair for pair in pairs if pair[2] in within):
            chosen[self.owner[m]["pipeline"], self.owner[b]["pipeline"]] = {m, b}
            for seen_by in product(self.put_out(m), self.put_out(b)) if by_id else ():
                chosen[seen_by] = {m, b}
        return set().union(*chosen.values())

    def put_out(self, a):
        outputs = [
            (self.executions.get(e), key) for b, e, kind, key, _ in self.events if b == a and kind in OUT
        ]
        return {(x["pipeline"], x["node"], key) for x, key in outputs if x and "Resolver" not in x["type"]}

    def unknown(self, a):
        local = (self.place[a] or "").startswith("file:")
        return self.artifacts[a]["state"] not in HERE or self.producer[a] is None or not local

    def held(self, a, pins=True):
        x, where = self.artifacts[a], self.place[a] or ""
        used = {e for b, e, *_ in self.events if b == a}
        makers = {self.executions[e]["type"].rpartition(".")[2] for e in self.executions_of(a, OUT)}
        return (
            bool(used & self.active)
            or any(self.executions[e]["run"] in self.active_runs for e in used)
            or bool(self.executions_of(a, OUT) & {*self.newest.values()})
            or a in self.blessed | self.standing
            or (pins and a in self.pinned)
            or bool(self.typed({a}, "Model") and self.pushes(a) & self.standing)
            or self.prop(a, "is_external") == 1
            or "Importer" in makers
            or not any(inside(where, place(root)) for root in self.policy["roots"])
            or any(overlap(where, served) for served in self.destinations.values())
            or self.age(x["created"]) < 0
        )

    def matches(self, match, a):
        has = {"type": self.artifacts[a]["type"], **self.owner[a]}
        equal = all(self.prop(a, name) == value for name, value in match.get("properties", {}).items())
        return equal and all(fits(match.get(name, "*"), value) for name, value in has.items())

    def groups_of(self, rule):
        """The groups of a rule, each newest first: what it matches of all that is LIVE or marked."""
        found = {}
        for a in sorted(self.there, key=lambda a: (self.artifacts[a]["created"], a), reverse=True):
            if self.artifacts[a]["state"] in HERE and self.matches(rule["match"], a):
                owner = self.owner[a]
                by = rule.get("group_by", ["pipeline", "node", "output"])
                key = [owner[b] if b in owner else self.prop(a, b.removeprefix("properties.")) for b in by]
                found.setdefault(tuple(key), []).append(a)
        return list(found.values())

    def kept(self, stays):
        """What the rules keep of their groups if these stay; what a rule only prunes inside stays."""
        groups = [(rule, group) for rule in self.policy["rules"] for group in self.groups[rule["name"]]]
        return set().union(*(self.keep(r["keep"], g, stays) if "keep" in r else g for r, g in groups))

    def evidence(self, governed, stays):
        """Whose payload alone tells by what a rule ranks something that stays."""
        ranked = [
            (a, metric)
            for rule in self.policy["rules"]
            for metric in metrics_in(rule.get("keep", {}))
            for group in self.groups[rule["name"]]
            for a in stays & set(group)
        ]
        return governed & {self.source(a, metric) for a, metric in ranked}

    def needs_checkpoints(self, a, stays, verified):
        models = self.siblings(a, "Model")
        return not models or bool((models & stays) - verified)

    def settle(self, governed, stays, verified=None):
        """All that stays if what is given stays: by words of lineage, a shared payload, a damaged Model."""
        while True:
            more = stays | self.kept(stays) | self.evidence(governed, stays)
            more |= {a for a in governed for b in stays - {a} if overlap(self.place[a], self.place[b])}
            if verified is not None:
                runs = self.typed(governed, "ModelRun")
                more |= {a for a in runs if self.needs_checkpoints(a, stays, verified)}
            more |= self.unclear
            if more == stays:
                return stays
            stays = more

    def verdicts(self):
        """Keep, delete or unknown for every artifact that a rule governs and that is not DELETED."""
        rules = self.policy["rules"]
        governed = {a for a in self.there if any(self.matches(rule["match"], a) for rule in rules)}
        unknown = {a for a in governed if self.unknown(a)}
        stays = self.there - governed | unknown | {a for a in governed if self.held(a)}
        stays = self.settle(governed, stays)
        missing = {a for a in governed - stays if self.artifacts[a]["bytes"] is None}
        stays = self.settle(governed, stays | missing)
        # Only what would stay anyway is verified.
        models = self.typed(stays, "Model")
        verified = {a for a in models if self.artifacts[a]["whole"] and self.artifacts[a]["state"] in HERE}
        stays = self.settle(governed, stays, verified)
        alone = {a for a in self.pinned - self.kept(stays) if not self.held(a, pins=False)}
        lost = set()
        for group in [group for rule in rules if "keep" in rule for group in self.groups[rule["name"]]]:
            lost |= set() if verified & set(group) - alone else self.typed(group, "Model")
        stays = self.settle(governed, stays | lost, verified)
        unknown |= missing | self.unclear
        return {a: "unknown" if a in unknown else "keep" if a in stays else "delete" for a in governed}
