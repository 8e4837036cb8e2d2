"""Figures as people read them: a number with its unit, a true minus sign, no false precision."""

from __future__ import annotations

from datetime import UTC, datetime

MINUS = "\N{MINUS SIGN}"
THIN = "\N{NO-BREAK SPACE}"


def signed(value: float, digits: int = 2, plus: bool = False) -> str:
    """`value` with a true minus sign; `plus` also marks the positive ones."""
    text = f"{abs(value):.{digits}f}"
    if float(text) == 0.0:
        return text
    return f"{MINUS}{text}" if value < 0 else f"{'+' if plus else ''}{text}"


def percent(share: float) -> str:
    """A share from 0 to 1 as `73 %`."""
    return f"{round(100 * share)}{THIN}%"


def count(number: float) -> str:
    """A whole number with thin gaps between the thousands: `15 360`."""
    return f"{round(number):,}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def counted(number: int, one: str, many: str | None = None) -> str:
    """`1 step`, `80 steps`."""
    return f"{count(number)} {one if number == 1 else many or one + 's'}"


def duration(seconds: float) -> str:
    """`40 s`, `2 min 10 s`, `12 min`, `1 h 20 min`, `3 d 4 h`; seconds are dropped from ten minutes on."""
    total = max(0, round(seconds))
    if total < 60:
        return f"{total}{THIN}s"
    if total < 600:
        minutes, rest = divmod(total, 60)
        return f"{minutes}{THIN}min" + (f" {rest}{THIN}s" if rest else "")
    minutes = round(total / 60)
    if minutes < 60:
        return f"{minutes}{THIN}min"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours}{THIN}h" + (f" {minutes}{THIN}min" if minutes else "")
    days, hours = divmod(hours, 24)
    return f"{days}{THIN}d" + (f" {hours}{THIN}h" if hours else "")


def seconds_a_step(seconds: float) -> str:
    """`1.1 s a step`; short steps in milliseconds."""
    return f"{seconds:.1f}{THIN}s a step" if seconds >= 0.095 else f"{seconds * 1000:.0f}{THIN}ms a step"


def memory(size: int) -> str:
    """Bytes as `12 kB`, `640 MB` or `1.4 GB` (powers of ten)."""
    if size < 1e6:
        return f"{max(1, round(size / 1e3))}{THIN}kB"
    return f"{size / 1e9:.1f}{THIN}GB" if size >= 1e9 else f"{size / 1e6:.0f}{THIN}MB"


def parse_time(text: str | None) -> datetime | None:
    """The UTC ISO string of a history row as a time; None stays None."""
    if not text:
        return None
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def ago(text: str | None, now: datetime) -> str:
    """When something was, seen from `now`: `just now`, `12 min ago`, `3 h ago`, `yesterday`, `4 Mar 2026`."""
    moment = parse_time(text)
    if moment is None:
        return "not yet"
    seconds = (now - moment).total_seconds()
    if seconds < 60:
        return "just now"
    if seconds < 3600:
        return f"{int(seconds // 60)}{THIN}min ago"
    if seconds < 24 * 3600:
        return f"{int(seconds // 3600)}{THIN}h ago"
    if seconds < 48 * 3600:
        return "yesterday"
    return f"{moment.day} {moment:%b %Y}"


def decibels(value: float) -> str:
    """A PSNR as `34.2 dB`; from 60 on, where no eye and no 8-bit pixel tells two frames apart, as `≥60 dB`."""
    return f"≥60{THIN}dB" if value >= 60 else f"{value:.1f}{THIN}dB"
