"""What the words of `keep` keep, sentence by sentence as docs/policy.md has them: plain, and slow."""

import math
import re
from datetime import datetime, timezone
from fnmatch import fnmatchcase

HERE, IN, OUT = ("LIVE", "MARKED_FOR_DELETION"), ("INPUT", "DECLARED_INPUT"), ("OUTPUT", "DECLARED_OUTPUT")
OTHERS = ("baseline_model", "base_model")
PERIODS = {
    "hourly": "%Y %j %H",
    "daily": "%Y %j",
    "weekly": "%G %V",
    "monthly": "%Y %m",
    "quarterly": "",
    "yearly": "%Y",
}
UNREADABLE = object()
UNITS = {"d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1_000, "ms": 1}


def milliseconds(duration):
    return sum(int(n) * UNITS[unit] for n, unit in re.findall(r"(\d+)(ms|[dhms])", duration))


def fits(patterns, value):
    patterns = [patterns] if isinstance(patterns, str) else patterns
    return any(p == "*" or (value is not None and fnmatchcase(value, p)) for p in patterns)


def period(word, created):
    t = datetime.fromtimestamp(created / 1000, timezone.utc)
    return (t.year, (t.month - 1) // 3) if word == "quarterly" else t.strftime(PERIODS[word])


def metrics_in(words):
    below = [*words.get("any_of", []), *words.get("all_of", []), words.get("unless", {})]
    own = {words["best"]["metric"]} if "best" in words else set()
    return own.union(*(metrics_in(w) for w in below if w))


class Words:
    """One history: who made what of what, and what a `keep` keeps of a group, newest first."""

    def __init__(self, history):
        self.now, self.artifacts, self.executions = (
            history["now"],
            history["artifacts"],
            history["executions"],
        )
        self.acts = {e for e, x in self.executions.items() if x["type"].startswith("tfx_janitor.act.")}
        self.events = [event for event in history["events"] if event[1] not in self.acts]
        self.standing = set(history["standing"])
        ends = [
            (p["artifact"], [t for t in (p["until"], p["released"]) if t is not None])
            for p in history["pins"]
        ]
        self.pinned = {a for a, times in ends if self.now < min(times, default=math.inf)}
        self.producer = {a: self.producer_of(a) for a in self.artifacts}
        self.unclear = set()

    def prop(self, a, name):
        return self.artifacts[a]["properties"].get(name)

    def typed(self, artifacts, *types):
        return {a for a in artifacts if self.artifacts[a]["type"] in types}

    def executions_of(self, a, kinds, but=()):
        return {e for b, e, kind, key, _ in self.events if b == a and kind in kinds and key not in but}

    def artifacts_of(self, e, kinds):
        return {a for a, f, kind, *_ in self.events if f == e and kind in kinds}

    def step(self, artifacts, there, back, but=()):
        return {
            b
            for a in artifacts
            for e in self.executions_of(a, there, but)
            for b in self.artifacts_of(e, back)
        }

    def walk(self, artifacts, there, back):
        found = new = self.step(artifacts, there, back)
        while new:
            new = self.step(new, there, back) - found
            found = found | new
        return found

    def producer_of(self, a):
        complete = {e for e in self.executions_of(a, OUT) if self.executions[e]["state"] == "COMPLETE"}
        return min(complete, default=None)

    def siblings(self, a, *types):
        made = self.artifacts_of(self.producer[a], OUT)
        return self.typed({b for b in made if self.producer[b] == self.producer[a]}, *types)

    def models(self, a):
        return self.typed({a}, "Model") or (
            self.siblings(a, "Model") if self.typed({a}, "ModelRun") else set()
        )

    def blessings(self, model):
        def names(b):
            by_id, uri = self.prop(b, "current_model_id"), self.prop(b, "current_model")
            if by_id is None and uri is None:
                return self.producer[b] in self.executions_of(model, IN, but=OTHERS)
            return by_id == model if by_id is not None else uri == self.artifacts[model]["uri"]

        blessings = self.typed(self.artifacts, "ModelBlessing")
        return {b for b in blessings if self.prop(b, "blessed") == 1 and names(b)}

    def pushes(self, model):
        def taken(made):
            return {a for b in made for a in self.artifacts_of(self.producer[b], IN)}

        def sources(p):
            given = self.step({p}, OUT, IN)
            return given | taken(self.typed(given, "InfraBlessing"))

        pushed = self.typed(self.artifacts, "PushedModel")
        return {p for p in pushed if self.prop(p, "pushed") == 1 and model in sources(p)}

    def is_blessed(self, a):
        itself = self.typed({a}, "ModelBlessing") and self.prop(a, "blessed") == 1
        return itself or any(map(self.blessings, self.models(a)))

    def was_pushed(self, a):
        itself = self.typed({a}, "PushedModel") and self.prop(a, "pushed") == 1
        return itself or any(map(self.pushes, self.models(a)))

    def told(self, a, name):
        """The first value that is found, UNREADABLE, or None, and whose payload tells it.

        A ModelRun without counts by its Model.
        """
        derived = self.step({a}, IN, OUT, but=OTHERS)
        derived -= self.typed(derived, "Model", "ModelRun", "PushedModel", "InfraBlessing")
        carriers = [a, *sorted(derived, reverse=True)]
        told = [(self.artifacts[c]["properties"], None) for c in carriers]
        for c in self.ordered(carriers, "ModelEvaluation"):
            x = self.artifacts[c]
            told.append(({name: UNREADABLE} if x["bytes"] is None else x["metrics"], c))
        of_model = (self.told(m, name) for m in self.models(a) - {a})
        return next(((found[name], c) for found, c in told if name in found), next(of_model, (None, None)))

    def ordered(self, artifacts, *types):
        return [c for c in artifacts if self.typed({c}, *types) and self.artifacts[c]["state"] != "DELETED"]

    def metric(self, a, name):
        return self.told(a, name)[0]

    def source(self, a, name):
        """Whose payload tells the metric; None if a property does, or nothing."""
        return self.told(a, name)[1]

    def best(self, group, metric, count, mode):
        values: dict = {a: self.metric(a, metric) for a in group}
        self.unclear |= {a for a in group if values[a] is UNREADABLE}
        ranked = [a for a in group if isinstance(values[a], (int, float)) and values[a] == values[a]]
        return set(sorted(ranked, key=lambda a: values[a], reverse=mode == "max")[:count])

    def dated(self, group, words):
        kept = set()
        for word in (word for word in PERIODS if word in words):
            before, found = None, []
            for a in group:
                this = period(word, self.artifacts[a]["created"])
                found += [a] if this != before and a not in kept else []
                before = this
            oldest = [] if group[-1] in {*found, *kept} else group[-1:]
            kept |= set((found + oldest)[: words[word]])
        return kept

    def by_value(self, group, groupings):
        parts = [group]
        for g in groupings:
            found = {a: self.prop(a, g["property"]) for a in group}
            named = [{a: found[a] if found[a] == found[a] else None for a in part} for part in parts]
            if len({type(v) for values in named for v in values.values() if v is not None}) > 1:
                self.unclear |= set(group)
                return set(group)
            parts = []
            for values in named:
                order = sorted(
                    {v for v in values.values() if v is not None}, reverse=g.get("order") != "smallest"
                )
                parts += [[a for a in values if values[a] == v] for v in [*order, None][: g.get("keep")]]
        return {a for part in parts for a in part}

    def seeds(self, words, stays):
        models = self.typed(self.artifacts, "Model")
        chosen = {
            "model": models & stays,
            "blessed": {m for m in models & stays if self.blessings(m)},
            "pushed": {m for m in models if self.pushes(m) and ({m} | self.pushes(m)) & stays},
            "served": {m for m in models if self.pushes(m) & self.standing},
            "pinned": self.pinned,
        }
        return set().union(*(chosen[word] for word in words))

    def keep(self, words, group, stays):
        """What a keep keeps of a group if `stays` stays; None: words of lineage keep nothing."""
        created = {a: self.artifacts[a]["created"] for a in group}
        tags = {a: {*re.split(r"[\s,]+", str(self.prop(a, "tags")))} for a in group}
        said = {
            "last": lambda n: {a for a in group if created[a] >= created[group[:n][-1]]},
            "first": lambda n: group[-n:],
            "within": lambda d: {a for a in group if created[group[0]] - created[a] <= milliseconds(d)},
            "newer_than": lambda d: {a for a in group if self.now - created[a] <= milliseconds(d)},
            "best": lambda best: self.best(group, **best),
            "blessed": lambda n: [a for a in group if self.is_blessed(a)][:n],
            "pushed": lambda n: [a for a in group if self.was_pushed(a)][:n],
            "tagged": lambda wanted: {a for a in group if tags[a] & {*wanted}},
            "groups": lambda groupings: self.by_value(group, groupings),
            "used_by": lambda names: {
                a
                for a in group
                if any(fits(names, self.executions[e]["pipeline"]) for e in self.executions_of(a, IN))
            },
            "ancestors_of": lambda of: set() if stays is None else self.walk(self.seeds(of, stays), OUT, IN),
            "descendants_of": lambda of: (
                set() if stays is None else self.walk(self.seeds(of, stays), IN, OUT)
            ),
            "ids": set,
            "any_of": lambda keeps: set.union(*(self.keep(k, group, stays) for k in keeps)),
            "all_of": lambda keeps: set.intersection(*(self.keep(k, group, stays) for k in keeps)),
        }
        kept = self.dated(group, words).union(
            *(said[word](value) for word, value in words.items() if word in said)
        )
        taken = self.keep(words["unless"], group, stays) if "unless" in words else set()
        return (kept - taken | self.filled(words, group, taken)) & set(group)

    def filled(self, words, group, taken):
        if "max_bytes" not in words:
            return set()
        size = {a: self.artifacts[a]["bytes"] or 0 for a in group}
        counted = self.keep({w: v for w, v in words.items() if w != "max_bytes"}, group, None)
        room, found = words["max_bytes"] - sum(size[a] for a in counted), set()
        for a in [a for a in group if a not in counted | taken]:
            room -= size[a]
            if room < 0:
                break
            found.add(a)
        return found
