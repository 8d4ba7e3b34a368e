"""Wording: what callers ask and say in the samples, invented for a product that automates documents."""

import json
from bisect import bisect_left
from itertools import accumulate

# Most asked first: the generator prefers the front of a list.
ANSWERED = (
    "how to create templates",
    "salesforce integration setup",
    "pricing per document",
    "merge fields from salesforce into a contract",
    "approval workflow before sending",
    "hubspot integration",
    "bulk generate documents from a spreadsheet",
    "how long does onboarding take",
    "electronic signature included",
    "import existing word templates",
    "conditional sections in templates",
    "gdpr and where data is stored",
    "single sign-on",
    "api rate limits",
    "generate quotes from an opportunity",
    "user roles and permissions",
    "share templates between teams",
    "microsoft dynamics connector",
    "archive signed contracts in sharepoint",
    "trial period and cancellation",
    "number of users included",
    "slack notifications when a document is signed",
    "tables that grow with the number of line items",
    "version history of a template",
    "webhooks after a document is generated",
    "pdf and word output",
    "multiple languages in one template",
    "reminders for unsigned documents",
)
# The knowledge base has nothing on these, however often they are asked: its content gaps.
UNANSWERED = (
    "sap s/4hana connector",
    "hipaa compliance",
    "work offline without internet",
    "vorlagen für verträge auf deutsch",
    "migrate templates from another vendor",
    "discount for non-profits",
    "on-premises installation",
)
ACCOUNT_LOOKUPS = ("account status", "open opportunities", "account owner", "previous demo requests")
PRICE_QUESTIONS = ("team plan yearly", "business plan monthly", "enterprise plan with sso", "volume discount")
DEMO_SLOTS = ("demo tomorrow morning", "demo this week", "demo next tuesday", "demo in german")

_TURNS = (
    ("assistant", "Hello, this is the assistant of the document team. What would you like to automate?"),
    ("user", "Hi, we write a lot of offers by hand and we would like to stop doing that."),
    ("assistant", "Understood. Roughly how many documents do you produce in a month?"),
    ("user", "Hard to say, a few hundred, and more at the end of a quarter."),
    ("assistant", "Thank you. And how many people in your team would create them?"),
    ("user", "Sales mostly. And two of us in legal look at every contract before it goes out."),
    ("assistant", "Then an approval step may help: legal releases a document before it can be sent."),
    ("user", "Yes, exactly. Does that work with the templates that we have in Word?"),
    ("assistant", "You can import Word templates; fields and conditional sections are added in the editor."),
    ("user", "Okay. And can the numbers come from Salesforce, or do we type them again?"),
    ("assistant", "They come from the opportunity: amounts, line items and the address are merged in."),
    ("user", "Sorry, could you say that again? The line was bad for a moment."),
    ("assistant", "Of course. Amounts, line items and the address are merged in from the opportunity."),
    ("user", "Great. Wir haben auch Kunden in Österreich, geht das zweisprachig?"),
    ("assistant", "Ja, eine Vorlage kann mehrere Sprachen enthalten; gewählt wird sie über ein Feld."),
    ("user", "Good. What does it cost if we start small, and can we leave after a month?"),
    ("assistant", "The price depends on the number of documents; a trial of two weeks costs nothing."),
    ("user", "When could somebody show it to us? Next week would be good."),
    ("assistant", "There is a free slot on Tuesday morning. Shall I book it?"),
    ("user", "Let me check with the others first. Could you send me the link?"),
)
_TURN_LINES = [json.dumps({"role": role, "text": text}, ensure_ascii=False).encode() for role, text in _TURNS]
_TURN_ENDS = list(accumulate(len(line) + 2 for line in _TURN_LINES))
_ALL_TURNS = b", ".join(_TURN_LINES) + b", "


def spellings(query: str) -> tuple[str, ...]:
    """How speech recognition and agents write one and the same question; most often as it stands."""
    capitalised = query[0].upper() + query[1:]
    return (query,) * 6 + (capitalised, capitalised, query.replace(" ", "  ", 1), f"{query} ")


def transcript(at_least_bytes: int) -> bytes:
    """A JSON array of whole turns (role, text) of at least that size, cut from one prebuilt text."""
    rounds, rest = divmod(max(at_least_bytes, 1), len(_ALL_TURNS))
    tail = _TURN_ENDS[bisect_left(_TURN_ENDS, rest)] if rest else 0
    return b"[" + (_ALL_TURNS * rounds + _ALL_TURNS[:tail])[:-2] + b"]"
