"""Writes a day in words, in the languages that the shipped layouts speak."""

from __future__ import annotations

from datetime import date

_MONTHS = {
    "ar": "يناير فبراير مارس أبريل مايو يونيو يوليو أغسطس سبتمبر أكتوبر نوفمبر ديسمبر",
    "de": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
    "en": "January February March April May June July August September October November December",
    "es": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre"
    " diciembre",
    "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "it": "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre"
    " dicembre",
    "nl": "januari februari maart april mei juni juli augustus september oktober november december",
    "pt": "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro"
    " dezembro",
    "ru": "января февраля марта апреля мая июня июля августа сентября октября ноября декабря",
}
# From Monday on, and what stands between weekday and date.
_WEEKDAYS = {
    "ar": ("الاثنين الثلاثاء الأربعاء الخميس الجمعة السبت الأحد", " "),
    "de": ("Montag Dienstag Mittwoch Donnerstag Freitag Samstag Sonntag", ", "),
    "en": ("Monday Tuesday Wednesday Thursday Friday Saturday Sunday", ", "),
    "es": ("lunes martes miércoles jueves viernes sábado domingo", ", "),
    "fr": ("lundi mardi mercredi jeudi vendredi samedi dimanche", " "),
    "it": ("lunedì martedì mercoledì giovedì venerdì sabato domenica", " "),
    "nl": ("maandag dinsdag woensdag donderdag vrijdag zaterdag zondag", " "),
    "pt": ("segunda-feira terça-feira quarta-feira quinta-feira sexta-feira sábado domingo", ", "),
    "ru": ("понедельник вторник среда четверг пятница суббота воскресенье", ", "),
    "zh": ("星期一 星期二 星期三 星期四 星期五 星期六 星期日", " "),
}
_PATTERNS = {
    "de": "{day}. {month} {year}",
    "es": "{day} de {month} de {year}",
    "pt": "{day} de {month} de {year}",
    "zh": "{year}年{number}月{day}日",
    "ja": "{year}年{number}月{day}日",
}


def day_in_words(day: date, language: str) -> str:
    """Returns a date as people write it; ISO 8601 in a language that is not known here."""
    tag = language.lower()
    spoken = tag.split("-")[0]
    months = _MONTHS.get(spoken, "").split()
    if not months and spoken not in _PATTERNS:
        return day.isoformat()
    if tag == "en-us":
        return f"{months[day.month - 1]} {day.day}, {day.year}"
    shown = "1er" if spoken == "fr" and day.day == 1 else str(day.day)
    return _PATTERNS.get(spoken, "{day} {month} {year}").format(
        day=shown,
        month=months[day.month - 1] if months else "",
        number=day.month,
        year=day.year,
    )


def month_in_words(day: date, language: str) -> str:
    """Returns the month's name; its number where the name is not known."""
    spoken = language.lower().split("-")[0]
    months = _MONTHS.get(spoken, "").split()
    if spoken in ("zh", "ja"):
        return f"{day.month}月"
    return months[day.month - 1] if months else f"{day.month:02}"


def weekday_in_words(day: date, language: str) -> str:
    """Returns the weekday and what parts it from a date behind it; empty where it is not known."""
    names, apart = _WEEKDAYS.get(language.lower().split("-")[0], ("", ""))
    return names.split()[day.weekday()] + apart if names else ""
