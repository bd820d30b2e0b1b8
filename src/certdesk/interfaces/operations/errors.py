"""One table: kinds of refusal to HTTP status, code and the text of the contract (API §2, §10)."""

from dataclasses import dataclass

from certdesk.foundation.common.errors import CertdeskError, Kind
from certdesk.interfaces.words.say import both, chinese, say

MAX_MESSAGE = 1024


@dataclass(frozen=True)
class Line:
    status: int
    code: str


KINDS: dict[Kind, Line] = {
    Kind.BAD_PARAMETER: Line(400, "SCM.0005"),
    Kind.BAD_NAMES: Line(400, "SCM.0015"),
    Kind.BAD_CSR: Line(400, "SCM.9002"),
    Kind.WRONG_STATE: Line(400, "SCM.0010"),
    Kind.NOT_FOUND: Line(404, "SCM.9404"),
    Kind.NOT_EXPORTABLE: Line(404, "SCM.0010"),
    Kind.UNAUTHENTICATED: Line(401, "APIGW.0301"),
    Kind.FORBIDDEN: Line(403, "SCM.9403"),
    Kind.CONFLICT: Line(409, "SCM.9409"),
    Kind.NOT_SETTLED: Line(500, "SCM.0016"),  # what clients of the contract ask again on
    Kind.PAYMENT_REFUSED: Line(400, "SCM.0016"),
    Kind.QUOTA: Line(400, "SCM.0011"),
    Kind.ADDRESS_TOO_LONG: Line(414, "SCM.0005"),
    Kind.HEADERS_TOO_LARGE: Line(431, "SCM.0005"),
    Kind.LENGTH_REQUIRED: Line(411, "SCM.0005"),
    Kind.TOO_MANY: Line(429, "SCM.9429"),
    Kind.NOT_AVAILABLE: Line(501, "SCM.9001"),
    Kind.UNAVAILABLE: Line(503, "SCM.9503"),
}
CERTIFICATE_MISSING = "SCM.0020"
BY_CODE = {"SCM.0707": 400}
"""Where the contract has another status for a code than the kind has."""
UNKNOWN = Line(500, "SCM.9500")
NO_ROUTE = Line(404, "APIGW.0101")
WRONG_METHOD = Line(405, "APIGW.0101")

# English, Chinese. The codes of API §2 carry its text; SCM.90xx and SCM.94xx/95xx are our own.
TEXTS: dict[str, tuple[str, str]] = {
    "SCM.0003": ("Tenant has no privilege", "租户没有权限"),
    "SCM.0005": ("Incorrect request parameter", "请求参数错误"),
    "SCM.0006": ("The uploaded certificate failed to be resolved", "上传的证书解析失败"),
    "SCM.0008": ("Abnormal certificate ID", "证书ID异常"),
    "SCM.0009": (
        "Upload failed: no domain name is bound to the certificate",
        "上传失败：证书未绑定域名",
    ),
    "SCM.0010": (
        "Operation not allowed by the current certificate type or status",
        "当前证书类型或状态不允许该操作",
    ),
    "SCM.0011": ("Maximum number of free certificates reached", "免费证书数量已达上限"),
    "SCM.0012": ("The uploaded private key failed to be resolved", "上传的私钥解析失败"),
    "SCM.0013": ("The uploaded certificate chain failed to be resolved", "上传的证书链解析失败"),
    "SCM.0014": ("The uploaded certificate does not match the private key", "上传的证书与私钥不匹配"),
    "SCM.0015": (
        "Number or format of domain names does not meet the certificate's requirements",
        "域名数量或格式不符合证书要求",
    ),
    "SCM.0016": ("Failed to order", "下单失败"),
    "SCM.0020": ("Incorrect certificate ID", "证书ID错误"),
    "SCM.0028": ("Push cert error", "推送证书错误"),
    "SCM.0030": ("Certificates cannot be pushed to this service", "证书不能推送到该服务"),
    "SCM.0053": (
        "The certificate must start and end with the BEGIN and END markers",
        "证书必须以BEGIN和END标记开头和结尾",
    ),
    "SCM.0054": ("The certificate content is missing", "证书内容缺失"),
    "SCM.0079": (
        "The subject of the CA certificate does not match the issuer",
        "CA证书的主题与签发者不匹配",
    ),
    "SCM.0114": ("The private key lacks its BEGIN and END markers", "私钥缺少BEGIN和END标记"),
    "SCM.0115": ("The private key is not Base64", "私钥不是Base64编码"),
    "SCM.0311": ("The tag key list is invalid", "标签键列表无效"),
    "SCM.0312": ("The tag value list is invalid", "标签值列表无效"),
    "SCM.0313": ("The tag list is invalid", "标签列表无效"),
    "SCM.0707": ("The CSR does not exist", "CSR不存在"),
    "SCM.9001": ("This capability is not available yet", "该功能尚未提供"),
    "SCM.9002": ("The CSR was refused", "CSR被拒绝"),
    "SCM.9060": ("The certificate is not valid now", "证书不在有效期内"),
    "SCM.9061": ("The key of the certificate was refused", "证书的密钥被拒绝"),
    "SCM.9062": ("The same certificate is hosted already", "相同的证书已托管"),
    "SCM.9063": ("Maximum number of uploaded certificates reached", "上传证书数量已达上限"),
    "SCM.9403": ("Permission denied", "没有权限"),
    "SCM.9404": ("Not found", "资源不存在"),
    "SCM.9409": ("Conflict with another request", "与其他请求冲突"),
    "SCM.9429": ("Too many requests", "请求过于频繁"),
    "SCM.9500": ("Internal error", "内部错误"),
    "SCM.9503": ("Temporarily unavailable", "暂时不可用"),
    "APIGW.0101": (
        "The API does not exist or has not been published in the environment",
        "API不存在或未在该环境发布",
    ),
}


@dataclass(frozen=True)
class Refusal:
    """What goes on the wire."""

    status: int
    code: str
    message: str
    retry_after: int | None = None

    @property
    def body(self) -> dict[str, str]:
        return {"error_code": self.code, "error_msg": self.message}


def refusal(error: CertdeskError, *, about_certificate: bool) -> Refusal:
    """An expected refusal in the contract's words, then in ours; in the language that is active.

    Args:
        about_certificate: the route names a certificate, so a missing one has the code of its id.
    """
    line = KINDS[error.kind]
    code = error.code or line.code
    if error.kind is Kind.NOT_FOUND and about_certificate and not error.code:
        code = CERTIFICATE_MISSING
    message = f"{_text(code)}: {both(error)}" if code in TEXTS else both(error)
    return Refusal(BY_CODE.get(code, line.status), code, message[:MAX_MESSAGE], error.retry_after)


def unknown(request_id: str) -> Refusal:
    """The bland answer to what nobody expected; the log has the rest under the same id."""
    rest = say(f"quote request id {request_id} to the operator.")
    return Refusal(UNKNOWN.status, UNKNOWN.code, f"{_text(UNKNOWN.code)}: {rest}")


def plain(line: Line) -> Refusal:
    return Refusal(line.status, line.code, _text(line.code))


def _text(code: str) -> str:
    return TEXTS[code][1 if chinese() else 0]
