from django.urls import path

from sellers.studio import listings, reviews, statements

app_name = "studio"
urlpatterns = [
    path("", listings.home, name="home"),
    path("reviews/", reviews.review_list, name="review_list"),
    path("reviews/<uuid:review_id>/reply/", reviews.review_reply, name="review_reply"),
    path("reviews/<uuid:review_id>/reply/delete/", reviews.reply_delete, name="reply_delete"),
    path("statements/", statements.statement_list, name="statement_list"),
    path("statements/<str:month>.csv", statements.statement_csv, name="statement_csv"),
    path("statements/<str:month>/", statements.statement_detail, name="statement_detail"),
]
