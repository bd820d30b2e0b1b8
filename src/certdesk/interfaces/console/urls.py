"""Pages of the console. Each view declares the IAM action that it needs (`views/page.py`)."""

from django.urls import URLPattern, path

from .views import (
    applying,
    authority,
    buying,
    certificates,
    orders,
    organization,
    outbox,
    prices,
    proving,
    session,
    withdrawing,
)

C = "certificates/<slug:certificate_id>"

urlpatterns: list[URLPattern] = [
    path("", session.home, name="home"),
    path("overview", session.home, name="overview"),
    path("login", session.login, name="account_login"),
    path("logout", session.logout, name="account_logout"),
    path("language", session.language, name="set_language"),
    path("account", session.account, name="account"),
    path("certificates", certificates.listed, name="certificates"),
    path("certificates/buy", buying.buy, name="buy"),
    path("certificates/buy/price", buying.price, name="buy-price"),
    path("certificates/buy/confirm/<slug:order_id>", buying.confirm, name="confirm-order"),
    path(C, certificates.shown, name="certificate"),
    path(f"{C}/status", certificates.status, name="status"),
    path(f"{C}/edit", certificates.edit, name="edit"),
    path(f"{C}/download", certificates.download, name="download"),
    path(f"{C}/apply", applying.apply, name="apply"),
    path(f"{C}/reopen", applying.reopen, name="reopen"),
    path(f"{C}/verify", proving.verify, name="verify"),
    path(f"{C}/verify/live", proving.proofs, name="proofs"),
    path(f"{C}/withdraw", withdrawing.withdraw, name="withdraw"),
    path(f"{C}/organization", organization.method, name="organization"),
    path("organization-verifications", organization.queue, name="organizations"),
    path(
        "organization-verifications/<slug:certificate_id>",
        organization.request_page,
        name="organization-request",
    ),
    path("orders", orders.listed, name="orders"),
    path("orders/<slug:order_id>", orders.shown, name="order"),
    path("orders/<slug:order_id>/receipt", orders.receipt, name="receipt"),
    path("orders/<slug:order_id>/cancel", orders.cancel, name="cancel-order"),
    path("prices", prices.prices, name="prices"),
    path("outbox", outbox.listed, name="outbox"),
    path("outbox/<int:message_id>", outbox.message, name="message"),
    path("ca", authority.authority, name="authority"),
]
