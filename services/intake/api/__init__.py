"""The HTTP entrance of intake: commands in, receipts out. It never reads for display; that is query's part."""

from services.intake.api.articles import articles_router
from services.intake.api.bulk import bulk_router
from services.intake.api.configuration import configuration_router
from services.intake.api.contacts import contacts_router
from services.intake.api.routes import intake_router, shortcuts
from services.intake.api.saved_views import saved_views_router

__all__ = [
    "articles_router",
    "bulk_router",
    "configuration_router",
    "contacts_router",
    "intake_router",
    "saved_views_router",
    "shortcuts",
]
