"""What each known detail means, kind by kind, as tables.

The words are Meta's (upper case, in payments lower case), as its webhook reference spells them.
"""

from __future__ import annotations

from collections.abc import Mapping

from relay.events import Direction, Severity, Topic
from relay.events.meanings import Meaning

Said = tuple[str, Severity, Direction]


def good(title: str) -> Said:
    return title, Severity.INFO, Direction.BETTER


def plain(title: str) -> Said:
    return title, Severity.INFO, Direction.NEUTRAL


def bad(title: str) -> Said:
    return title, Severity.WARNING, Direction.WORSE


def relief(title: str) -> Said:
    """The end of something bad: the subject matters as much as it did before."""
    return title, Severity.WARNING, Direction.BETTER


def grave(title: str) -> Said:
    return title, Severity.CRITICAL, Direction.WORSE


def about(topic: Topic, rows: Mapping[str, Said]) -> dict[str, Meaning]:
    return {detail: Meaning(topic, *said) for detail, said in rows.items()}


TEMPLATE_STATUS = about(
    Topic.TEMPLATE,
    {
        "APPROVED": good("Template approved"),
        "REJECTED": bad("Template rejected"),
        "FLAGGED": bad("Template flagged"),
        "PAUSED": bad("Template paused"),
        "UNPAUSED": relief("Template no longer paused"),
        "DISABLED": bad("Template disabled"),
        "REINSTATED": relief("Template reinstated"),
        "LOCKED": bad("Template locked"),
        "LIMIT_EXCEEDED": bad("Template limit exceeded"),
        "PENDING": plain("Template in review"),
        "IN_APPEAL": plain("Template in appeal"),
        "ARCHIVED": bad("Template archived"),
        "UNARCHIVED": plain("Template no longer archived"),
        "PENDING_DELETION": plain("Template is about to be deleted"),
        "DELETED": plain("Template deleted"),
    },
)
NUMBER_QUALITY = about(
    Topic.QUALITY,
    {
        "FLAGGED": bad("Number flagged for low quality"),
        "UNFLAGGED": relief("Number no longer flagged"),
    },
) | about(
    Topic.LIMIT,
    {
        "UPGRADE": good("Messaging limit raised"),
        "DOWNGRADE": bad("Messaging limit lowered"),
        "THROUGHPUT_UPGRADE": good("Throughput raised"),
        "ONBOARDING": plain("Messaging limit of a new number"),
    },
)
TEMPLATE_QUALITY = about(
    Topic.TEMPLATE,
    {
        "GREEN": relief("Template quality is high"),
        "YELLOW": bad("Template quality dropped"),
        "RED": bad("Template quality is low"),
        "UNKNOWN": plain("Template quality is not known yet"),
    },
)
ACCOUNT = (
    about(Topic.REVIEW, {"VERIFIED_ACCOUNT": good("Account verified")})
    | about(Topic.BAN, {"DISABLED_UPDATE": grave("Ban of the account changed")})
    | about(Topic.VIOLATION, {"ACCOUNT_VIOLATION": grave("Policy violated")})
    | about(Topic.RESTRICTION, {"ACCOUNT_RESTRICTION": grave("Account restricted")})
    | about(Topic.CANCELLATION, {"ACCOUNT_DELETED": bad("Account deleted")})
    | about(
        Topic.PARTNER,
        {
            "PARTNER_ADDED": good("Account shared with the partner"),
            "PARTNER_REMOVED": bad("Account no longer shared with the partner"),
            "PARTNER_APP_INSTALLED": good("Partner app installed"),
            "PARTNER_APP_UNINSTALLED": bad("Partner app uninstalled"),
            "PARTNER_CLIENT_CERTIFICATION_STATUS_UPDATE": plain("Client certification changed"),
            "PARTNER_CLIENT_CERTIFICATION_NEEDED": bad("Client must be verified by you"),
            "ACCOUNT_OFFBOARDED": bad("Account offboarded"),
            "ACCOUNT_RECONNECTED": good("Account reconnected"),
            "AD_ACCOUNT_LINKED": plain("Ad account linked"),
            "MM_LITE_TERMS_SIGNED": plain("Terms of the Marketing Messages API signed"),
        },
    )
    | about(
        Topic.BILLING,
        {
            "VOLUME_BASED_PRICING_TIER_UPDATE": plain("Volume price tier changed"),
            "AUTH_INTL_PRICE_ELIGIBILITY_UPDATE": plain(
                "Eligibility for international authentication rates changed"
            ),
            "BUSINESS_PRIMARY_LOCATION_COUNTRY_UPDATE": plain(
                "Primary country of the business changed"
            ),
        },
    )
)
VIOLATION = about(
    Topic.VIOLATION,
    {
        "SCAM": grave("Policy violated"),
        "ADULT": grave("Policy violated"),
        "GAMBLING": grave("Policy violated"),
        "LOW_BUSINESS_INITIATED_CALLING_QUALITY": bad("Quality of the business's calls is low"),
        "LOW_USER_INITIATED_CALLING_QUALITY": bad("Quality of answered calls is low"),
        "LOW_CALLING_QUALITY": bad("Quality of the calls is low"),
        "USER_INITIATED_CALLS_LOW_PICKUP_RATE": bad("Few calls of customers are answered"),
    },
)
RESTRICTION = about(
    Topic.RESTRICTION,
    {
        "RESTRICTED_ADD_PHONE_NUMBER_ACTION": grave("Account may not add numbers"),
        "RESTRICTED_BIZ_INITIATED_MESSAGING": grave("Account may not start conversations"),
        "RESTRICTED_CUSTOMER_INITIATED_MESSAGING": grave("Account may not answer customers"),
        "RESTRICTED_UTILITY_TEMPLATES": grave("Account may not create utility templates"),
        "RESTRICTED_DIRECT_SEND_UTILITY_TEMPLATES": grave(
            "Account may not send utility templates directly"
        ),
        "RESTRICTED_BUSINESS_INITIATED_CALLING": grave("Account may not call customers"),
        "RESTRICTED_USER_INITIATED_CALLING": grave("Account may not take calls"),
        "RESTRICTED_BIZ_INITIATED_AND_USER_INITIATED_CALLING": grave(
            "Account may neither call nor take calls"
        ),
        "RESTRICTED_USER_INITIATED_CALLING_CALL_BUTTON_HIDDEN": bad("Call button is hidden"),
    },
)
ALERT = (
    about(
        Topic.LIMIT,
        {
            "INCREASED_CAPABILITIES_ELIGIBILITY_DEFERRED": bad("Higher messaging limit deferred"),
            "INCREASED_CAPABILITIES_ELIGIBILITY_FAILED": bad("Higher messaging limit refused"),
            "INCREASED_CAPABILITIES_ELIGIBILITY_NEED_MORE_INFO": bad(
                "Higher messaging limit needs more information"
            ),
        },
    )
    | about(
        Topic.NAME,
        {
            "OBA_APPROVED": good("Official business account approved"),
            "OBA_REJECTED": bad("Official business account rejected"),
        },
    )
    | about(Topic.OTHER, {"PROFILE_PICTURE_LOST": bad("Profile photo was deleted")})
)
FLOW = about(
    Topic.TEMPLATE,
    {
        "FLOW_STATUS_CHANGE": plain("Status of a flow changed"),
        "CLIENT_ERROR_RATE": bad("A flow fails for customers"),
        "ENDPOINT_ERROR_RATE": bad("The endpoint of a flow answers with errors"),
        "ENDPOINT_LATENCY": bad("The endpoint of a flow is slow"),
        "ENDPOINT_AVAILABILITY": bad("The endpoint of a flow is not reached"),
        "FLOW_VERSION_EXPIRY_WARNING": bad("The version of a flow expires soon"),
    },
)
USERNAME = about(
    Topic.NAME,
    {
        "approved": good("Username approved"),
        "reserved": plain("Username reserved"),
        "deleted": bad("Username deleted"),
    },
)
SOLUTION = about(
    Topic.PARTNER,
    {
        "ACTIVE": good("Partner solution is active"),
        "DRAFT": plain("Partner solution is a draft"),
        "INITIATED": plain("Partner solution was requested"),
        "REJECTED": bad("Partner solution rejected"),
        "PENDING_DEACTIVATION": bad("Partner solution is about to be deactivated"),
        "DEACTIVATED": bad("Partner solution deactivated"),
    },
)
GROUP_STATUS = about(
    Topic.RESTRICTION,
    {
        "group_suspend": bad("Group suspended"),
        "group_suspend_cleared": relief("Group no longer suspended"),
    },
)
CHANNEL_STATUS = about(
    Topic.ONBOARDING,
    {
        "ready": plain("Number is ready to be registered"),
        "running": good("Number is running"),
        "live": good("Number is live"),
        "error": bad("Number has an error"),
    },
)
DISPLAY_NAME = about(
    Topic.NAME,
    {
        "APPROVED": good("Display name approved"),
        "REJECTED": bad("Display name rejected"),
        "DEFERRED": plain("Decision about the display name deferred"),
        "PENDING": plain("Display name in review"),
    },
)
REVIEW = about(
    Topic.REVIEW,
    {
        "APPROVED": good("Account review passed"),
        "REJECTED": bad("Account review failed"),
        "DEFERRED": plain("Account review deferred"),
        "PENDING": plain("Account in review"),
    },
)
PAYMENT = about(
    Topic.BILLING,
    {
        "captured": good("Payment received"),
        "pending": plain("Payment pending"),
        "failed": bad("Payment failed"),
    },
)
PAYMENT_SETUP = about(
    Topic.BILLING,
    {
        "Active": good("Payment configuration is active"),
        "Needs Connecting": bad("Payment configuration needs connecting"),
        "Needs Testing": bad("Payment configuration needs testing"),
    },
)
SECURITY = about(
    Topic.SECURITY,
    {
        "PIN_CHANGED": grave("Two-step PIN changed"),
        "PIN_RESET_REQUEST": grave("Reset of the two-step PIN requested"),
        "PIN_RESET_SUCCESS": grave("Two-step PIN reset"),
        # The current reference's name of the same step.
        "PIN_REQUEST_SUCCESS": grave("Two-step PIN reset"),
    },
)
BUSINESS_STATUS = about(
    Topic.SECURITY, {"COMPROMISED_NOTIFICATION": grave("Business may be compromised")}
)

QUALITY_WATCH = about(
    Topic.QUALITY,
    {
        "RED": grave("Quality dropped to RED"),
        "YELLOW": bad("Quality dropped to YELLOW"),
        "GREEN": relief("Quality is back to GREEN"),
    },
)
NAME_WATCH = about(
    Topic.NAME,
    {
        "APPROVED": good("Display name approved"),
        "DECLINED": bad("Display name declined"),
        "EXPIRED": bad("Approval of the display name expired"),
        "PENDING_REVIEW": plain("Display name in review"),
        "AVAILABLE_WITHOUT_REVIEW": good("Display name needs no review"),
    },
)
STATUS_WATCH = (
    about(
        Topic.ONBOARDING,
        {
            "READY": plain("Number is ready to be registered"),
            "RUNNING": good("Number is running"),
            "LIVE": good("Number is live"),
            "CONNECTED": good("Number is connected"),
            "ERROR": bad("Number has an error"),
            "DISCONNECTED": bad("Number is disconnected"),
            "SUSPENDED": bad("Number is suspended"),
            "DISABLED": bad("Number is disabled"),
        },
    )
    | about(Topic.QUALITY, {"FLAGGED": bad("Number flagged for low quality")})
    | about(Topic.LIMIT, {"RATE_LIMITED": bad("Number is slowed down")})
    | about(Topic.RESTRICTION, {"RESTRICTED": grave("Number is restricted")})
    | about(Topic.BAN, {"BANNED": grave("Number is banned")})
    | about(
        Topic.CANCELLATION,
        {
            "CANCELLED": bad("Number is cancelled"),
            "PENDING_DELETION": bad("Number is about to be deleted"),
        },
    )
)
NUMBER_WATCH = about(Topic.ONBOARDING, {"APPEARED": plain("New number at 360dialog")}) | about(
    Topic.CANCELLATION, {"GONE": bad("Number is gone from 360dialog")}
)
