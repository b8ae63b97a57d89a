"""The OA's error codes with the words that the documentation gives them."""

# Section 8 of the sheet; the five of ZBS templates have no wording there.
MESSAGES: dict[int, str] = {
    -32: "Your application reached limit call api",
    -100: "attachment_id was expired",
    -111: "Template data is empty",
    -118: "User does not exist",
    -109: "Template is invalid",
    -200: "Send message failed",
    -209: "Not supported this api",
    -210: "Parameter exceeds allowable limit",
    -211: "Out of quota",
    -213: "User has not followed OA",
    -216: "Access token is invalid",
    -217: "User has blocked invitation from OA",
    -218: "Out of quota receive",
    -220: "access_token is expired or removed",
    -221: "The OA needs to be verified",
    -223: "Official Account has not authorized this API",
    -224: (
        "The OA needs to upgrade OA Tier Package to use this feature."
        " See more on https://zalo.cloud/oa/pricing"
    ),
    -227: "User is banned or has been inactive for more than 45 days",
    -230: "User has not interacted with the OA in the past 7 days",
    -232: "User has not interacted, or last interaction expired",
    -233: "message type is invalid or not support",
    -234: "cannot be sent at night (10:00PM-6:00AM)",
    -237: "Group is disabled",
    -240: "MessageV2 API has been shut down",
    -242: "Invalid appsecret_proof",
    -244: "User has restricted this message type",
    -249: "Template does not support send via UID",
    -320: "The OA needs to be linked to a Zalo Cloud Account",
    -321: "The Zalo Cloud Account is out of money",
    -403: "OA is not in group",
}


class Refused(Exception):
    """Zalo answers with this code: nothing was done."""

    def __init__(self, code: int, message: str = "") -> None:
        self.code = code
        self.message = message or MESSAGES.get(code, "Unknown error")
        super().__init__(f"{code} {self.message}")


def invalid(field: str) -> Refused:
    return Refused(-201, f"{field} is invalid!")
