"""What the product page says about reviews: the spread of stars, orders, and addresses of further ones."""

from django.http import QueryDict
from django.utils.translation import gettext_lazy

from catalog.models import Prompt
from catalog.reviews import count_stars, list_reviews

ORDER_TITLES = {
    "newest": gettext_lazy("Newest first"),
    "highest": gettext_lazy("Most stars first"),
    "lowest": gettext_lazy("Fewest stars first"),
}


def describe_reviews(prompt: Prompt, *, path: str, params: QueryDict, user) -> dict:
    """Context of the reviews part, as `user` sees it. Parameters: order, stars, after. One query.

    prompt: loaded by `with_star_counts`.
    """
    stars = int(params["stars"]) if params.get("stars") in ("1", "2", "3", "4", "5") else None
    page = list_reviews(prompt, order=params.get("order", ""), stars=stars, after=params.get("after", ""))
    counts = count_stars(prompt)
    for review in page.reviews:
        review.is_own = review.author_id == user.pk

    def address(*, order: str = page.order, stars: int | None = stars, after: str = "") -> str:
        chosen = {"order": order if order != "newest" else "", "stars": stars or "", "after": after}
        query = QueryDict(mutable=True)
        query.update({name: str(value) for name, value in chosen.items() if value})
        return f"{path}?{query.urlencode()}" if query else path

    return {
        "prompt": prompt,
        "listing": prompt.listing,
        "seller": prompt.listing.seller,
        "reviews": page,
        "star_counts": [
            {
                "stars": row.stars,
                "count": row.count,
                "address": address(stars=None if row.stars == stars else row.stars),
                "is_selected": row.stars == stars,
            }
            for row in counts
        ],
        "star_total": sum(row.count for row in counts),
        "review_orders": [
            {"title": str(title), "address": address(order=order), "is_selected": order == page.order}
            for order, title in ORDER_TITLES.items()
        ],
        "all_stars_address": address(stars=None),
        "more_reviews_address": address(after=page.next_after) if page.next_after else "",
        "first_reviews_address": address() if params.get("after") else "",
    }
