"""The HTTP entrance of intake: commands in, receipts out. It never reads for display; that is query's part."""

from services.intake.api.routes import hot_routes, intake_router

__all__ = ["hot_routes", "intake_router"]
