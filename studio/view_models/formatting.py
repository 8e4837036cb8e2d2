"""Number formatting for the screen: units, a true minus sign, and no false precision."""

from __future__ import annotations

from datetime import UTC, datetime

MINUS = "\N{MINUS SIGN}"
NO_BREAK_SPACE = "\N{NO-BREAK SPACE}"
INDISTINGUISHABLE_PSNR = 60.0
"""dB; from here on neither the eye nor an 8-bit pixel tells two frames apart."""


def format_signed(value: float, digits: int = 2, plus: bool = False) -> str:
    """`value` with a true minus sign; with `plus`, positive values get a plus sign."""
    text = f"{abs(value):.{digits}f}"
    if float(text) == 0.0:
        return text
    return f"{MINUS}{text}" if value < 0 else f"{'+' if plus else ''}{text}"


def format_percent(share: float) -> str:
    """A share from 0 to 1 as `73 %`."""
    return f"{round(100 * share)}{NO_BREAK_SPACE}%"


def format_count(number: float) -> str:
    """A whole number with a thin space between the thousands: `15 360`."""
    return f"{round(number):,}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def pluralize(number: int, one: str, many: str | None = None) -> str:
    """`1 step`, `80 steps`."""
    return f"{format_count(number)} {one if number == 1 else many or one + 's'}"


def format_duration(seconds: float) -> str:
    """`40 s`, `2 min 10 s`, `12 min`, `1 h 20 min`, `3 d 4 h`; no seconds from ten minutes on."""
    total = max(0, round(seconds))
    if total < 60:
        return f"{total}{NO_BREAK_SPACE}s"
    if total < 600:
        minutes, rest = divmod(total, 60)
        return f"{minutes}{NO_BREAK_SPACE}min" + (f" {rest}{NO_BREAK_SPACE}s" if rest else "")
    minutes = round(total / 60)
    if minutes < 60:
        return f"{minutes}{NO_BREAK_SPACE}min"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours}{NO_BREAK_SPACE}h" + (f" {minutes}{NO_BREAK_SPACE}min" if minutes else "")
    days, hours = divmod(hours, 24)
    return f"{days}{NO_BREAK_SPACE}d" + (f" {hours}{NO_BREAK_SPACE}h" if hours else "")


def format_step_time(seconds: float) -> str:
    """The pace as `1.1 s per step`, or in milliseconds for steps below 0.095 s."""
    if seconds >= 0.095:
        return f"{seconds:.1f}{NO_BREAK_SPACE}s per step"
    return f"{seconds * 1000:.0f}{NO_BREAK_SPACE}ms per step"


def format_bytes(size: int) -> str:
    """Bytes as `12 kB`, `640 MB` or `1.4 GB` (powers of ten)."""
    if size < 1e6:
        return f"{max(1, round(size / 1e3))}{NO_BREAK_SPACE}kB"
    return f"{size / 1e9:.1f}{NO_BREAK_SPACE}GB" if size >= 1e9 else f"{size / 1e6:.0f}{NO_BREAK_SPACE}MB"


def parse_time(text: str | None) -> datetime | None:
    """Parse the ISO time of a history row, in UTC unless it names a zone; None stays None."""
    if not text:
        return None
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def format_time_ago(text: str | None, now: datetime) -> str:
    """A time relative to `now`: `just now`, `12 min ago`, `3 h ago`, `yesterday`, `4 Mar 2026`."""
    moment = parse_time(text)
    if moment is None:
        return "not yet"
    seconds = (now - moment).total_seconds()
    if seconds < 60:
        return "just now"
    if seconds < 3600:
        return f"{int(seconds // 60)}{NO_BREAK_SPACE}min ago"
    if seconds < 24 * 3600:
        return f"{int(seconds // 3600)}{NO_BREAK_SPACE}h ago"
    if seconds < 48 * 3600:
        return "yesterday"
    return f"{moment.day} {moment:%b %Y}"


def format_decibels(value: float) -> str:
    """A PSNR as `34.2 dB`; from INDISTINGUISHABLE_PSNR on, as `≥60 dB`."""
    if value >= INDISTINGUISHABLE_PSNR:
        return f"≥{INDISTINGUISHABLE_PSNR:.0f}{NO_BREAK_SPACE}dB"
    return f"{value:.1f}{NO_BREAK_SPACE}dB"
