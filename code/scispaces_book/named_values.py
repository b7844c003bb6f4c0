r"""The values of controls that a text names: ``$n=768$``, "温度从0.1拖到10", "选“鞍面”".

A text names a value of a control in one of these ways:

- an assignment: a formula or plain text ``symbol = number``, several numbers separated by 、 or
  commas, where the symbol is the control's name or stands in its label;
- the symbol or the label, a word such as 为, 取, 从, 拖到, and a number, or two joined by 到;
- 拖到, 调到, 停在, … and a number, without a symbol: a value of any of the controls;
- 选, 换成, … and a quoted choice of a menu.

An expression (``n=2m``), a limit (``n\to\infty``) or another symbol (``p_n=0.3``) is no value.
"""

import math
import re
import unicodedata
from dataclasses import dataclass

from scispaces.explore.controls import text as shown

__all__ = ["Value", "named_values"]

NUMBER = r"[−-]?\d+(?:\.\d+)?(?:e[−-]?\d+)?(?![\d.]*[A-Za-z\d⟪])(?!的)"
UNIT = r"(?:\s*(?:[°%]|[A-Za-z/²³µμΩ·]{1,6}))?"
SLIDE = r"(?:拖动?|调整?|移动?|滑动?|推动?|拨动?)"
CHANGE = rf"(?:{SLIDE}|增大?|增加|加大?|减小?|减少|降低?|升高?|变|放|设|改|换)"
ARRIVE = r"(?:到|至|回到?|成|为)"
ONWARD = rf"\s*(?:一路|一直|逐渐|逐步|慢慢|再)?{CHANGE}?(?:到|至|回到?)\s*"
AND = r"(?:、|和|与|或|及)"
SYMBOL = r"[A-Za-zα-ωϑϕΑ-Ω][A-Za-z0-9₀-₉_]*"


@dataclass(frozen=True)
class Value:
    """A value that a text names.

    Attributes
    ----------
    text : str
        The value as a stop of a control would read.
    control : dict or None
        The control that it belongs to; None where the text does not say.
    is_stop : bool
        Whether it is a stop of that control, or of any where the text does not say.
    """

    text: str
    control: dict | None
    is_stop: bool


def named_values(text, controls):
    """Return the values of `controls` that `text` names.

    Parameters
    ----------
    text : str
        MyST source of a paragraph or a list.
    controls : list of dict
        With ``name``, ``label``, ``kind`` and ``values``, the stops as the reader sees them.

    Returns
    -------
    list of Value
        In the order of the text.
    """
    keys = _keys(controls)
    line = _linear(text, keys)
    found = []

    def add(match, number, index=None):
        chosen = controls if index is None else [controls[index]]
        value = _canonical(number)
        is_stop = any(value in map(_canonical, control["values"]) for control in chosen)
        found.append((match.start(), Value(value, None if index is None else chosen[0], is_stop)))

    taken = []
    connect = rf"(?:[=＝]|为|取|等于|从|由|[停放]?在|{CHANGE}{ARRIVE})"
    run = rf"{NUMBER}(?:{UNIT}(?:{AND}|{ONWARD}){NUMBER})*"
    for match in re.finditer(rf"⟦(\d+)⟧(?:的?值)?\s*{connect}\s*(?P<run>{run})", line):
        taken.append(match.span())
        for number in re.findall(NUMBER, match["run"]):
            add(match, number, int(match[1]))
    start = rf"从\s*({NUMBER}){UNIT}\s*(?:一路|一直|逐渐|逐步|慢慢|再)?"
    slide = rf"(?:{start})?(?:{SLIDE}{ARRIVE}|[停放]在)\s*({NUMBER})"
    for match in re.finditer(slide, line):
        if not any(first < match.end() <= last for first, last in taken):
            for number in filter(None, match.groups()):
                add(match, number)
    choices = [control for control in controls if control["kind"] == "select"]
    if choices:
        quoted = r"(?:选择?|选中|切换到|换成|换到|改选|改为)[“「『]([^”」』]+)[”」』]"
        for match in re.finditer(quoted, line):
            is_stop = any(match[1] in control["values"] for control in choices)
            found.append((match.start(), Value(match[1], None, is_stop)))
    return [value for _, value in sorted(found, key=lambda pair: pair[0])]


def _keys(controls):
    """Return the index of the control that each name, symbol or label means."""
    keys = {}
    for index, control in enumerate(controls):
        label = control["label"]
        names = [control["name"], re.sub(r"[\u3400-\u9fff（）\s]", "", label)]
        names += re.findall(r"[\u3400-\u9fff]+", label)
        names += re.findall(SYMBOL, label)
        for name in names:
            if key := _symbol(name):
                keys.setdefault(key, index)
    return keys


def _symbol(tex):
    r"""Return a symbol in one spelling: ``\tau``, ``τ`` and ``tau`` are one."""
    tex = re.sub(r"\\(?:boldsymbol|mathbf|mathrm|mathit|text|operatorname)(?![A-Za-z])", "", tex)
    tex = re.sub(r"\\[dt]?frac\{([^{}]*)\}\{([^{}]*)\}", r"\1/\2", tex)
    tex = re.sub(r"\\sqrt\{([^{}]*)\}", r"√(\1)", tex)
    tex = re.sub(r"\\[,;!: ]|\s", "", tex)
    tex = re.sub(r"\\(?:var)?([A-Za-z]+)", r"\1", tex)
    result = ""
    for character in unicodedata.normalize("NFKC", tex):
        name = unicodedata.name(character, "")
        if name.startswith(("GREEK SMALL LETTER", "GREEK CAPITAL LETTER")):
            word = name.rpartition(" ")[2]
            character = word.lower().replace("lamda", "lambda")
            character = character if "SMALL" in name else character.capitalize()
        result += character
    result = re.sub(r"[{}_]", "", result)
    return {"lam": "lambda", "lmbda": "lambda", "eps": "epsilon"}.get(result, result)


def _linear(text, keys):
    """Return the text with each control as ``⟦index⟧`` and each formula as numbers or ``⟪⟫``."""
    text = re.sub(r"(?:\{[\w:-]+\})?`[^`]*`", "⟪⟫", text)
    parts = re.split(r"(?<!\\)\$", text)
    words = [key for key in keys if re.match(r"[\u3400-\u9fff]", key)]
    words.sort(key=len, reverse=True)
    line = ""
    for index, part in enumerate(parts):
        if index % 2:
            line += _formula(part, keys)
            continue
        for word in words:
            part = part.replace(word, f"⟦{keys[word]}⟧")
        line += re.sub(
            rf"(?<![A-Za-z0-9_⟦]){SYMBOL}",
            lambda match: f"⟦{keys[_symbol(match[0])]}⟧" if _symbol(match[0]) in keys else match[0],
            part,
        )
    return line


def _formula(tex, keys):
    """Return what a formula says of controls, as text."""
    if (key := _symbol(tex)) in keys:
        return f"⟦{keys[key]}⟧"
    if (number := _number(tex)) is not None:
        return number
    said, current = [], None
    for piece in re.split(r"[,，;；、]|\\q?quad", tex.replace("{,}", "")):
        *left, right = piece.split("=")
        if left:
            # In a=b=3 the number belongs to both.
            current = [keys[key] for key in map(_symbol, left) if key in keys]
        number = _number(right)
        if number is None:
            current = None
        elif current:
            said += [f"⟦{index}⟧={number}" for index in current]
    return "、".join(said) or "⟪⟫"


def _number(tex):
    r"""Return the number that a formula is, as text: ``10^{-3}``, ``\pi/2``, ``30^\circ``."""
    tex = tex.replace("{,}", "").replace("−", "-")
    tex = re.sub(r"\\(?:text|mathrm)\{[^{}]*\}|\^\{?\\circ\}?|°|\\?%", "", tex)
    tex = re.sub(r"\\[,;!: ]|\s", "", tex)
    tex = re.sub(r"\\[dt]?frac\{([^{}]*)\}\{([^{}]*)\}|\\[dt]frac(\d)(\d)", r"\1\3/\2\4", tex)
    sign = -1.0 if tex.startswith("-") else 1.0
    above, slash, below = tex.removeprefix("-").partition("/")
    value, divisor = _atom(above), _atom(below) if slash else 1.0
    return f"{sign * value / divisor:.12g}" if value is not None and divisor else None


def _atom(tex):
    r"""Return the value of ``2.5``, ``3\pi``, ``2\times10^{3}``, None for anything else."""
    if power := re.fullmatch(r"(?:([\d.]+)(?:\\times|\\cdot))?10\^(?:(\d)|\{(-?\d+)\})", tex):
        return float(power[1] or 1) * 10.0 ** int(power[2] or power[3])
    if pi := re.fullmatch(r"([\d.]*)\\pi", tex):
        return float(pi[1] or 1) * math.pi
    return float(tex) if re.fullmatch(r"\d+(?:\.\d+)?", tex) else None


def _canonical(value):
    """Return a value as a stop reads; what is no number stays as it is."""
    try:
        return shown(float(value.replace("−", "-")))
    except ValueError:
        return value
