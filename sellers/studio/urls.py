from django.urls import path

from sellers.studio import files, listings, profile, reviews, sales, statements, tools

app_name = "studio"
urlpatterns = [
    path("", listings.home, name="home"),
    path("listings/new/", listings.listing_new, name="listing_new"),
    path("listings/<uuid:prompt_id>/", listings.listing_edit, name="listing_edit"),
    path("listings/<uuid:prompt_id>/publish/", listings.listing_publish, name="listing_publish"),
    path("listings/<uuid:prompt_id>/withdraw/", listings.listing_withdraw, name="listing_withdraw"),
    path("listings/<uuid:prompt_id>/versions/", listings.listing_versions, name="listing_versions"),
    path("listings/<uuid:prompt_id>/tools/accept/", tools.tool_accept, name="tool_accept"),
    path("listings/<uuid:prompt_id>/files/", files.listing_files, name="listing_files"),
    path("listings/<uuid:prompt_id>/pictures/", files.pictures_add, name="pictures_add"),
    path("listings/<uuid:prompt_id>/pictures/change/", files.picture_change, name="picture_change"),
    path("listings/<uuid:prompt_id>/pictures/remove/", files.picture_remove, name="picture_remove"),
    path("listings/<uuid:prompt_id>/file/", files.file_attach, name="file_attach"),
    path("listings/<uuid:prompt_id>/file/remove/", files.file_remove, name="file_remove"),
    path("profile/", profile.profile_edit, name="profile_edit"),
    path("business/", profile.business_edit, name="business_edit"),
    path("reviews/", reviews.review_list, name="review_list"),
    path("reviews/<uuid:review_id>/reply/", reviews.review_reply, name="review_reply"),
    path("reviews/<uuid:review_id>/reply/delete/", reviews.reply_delete, name="reply_delete"),
    path("sales/", sales.sales, name="sales"),
    path("sales.csv", sales.sales_csv, name="sales_csv"),
    path("statements/", statements.statement_list, name="statement_list"),
    path("statements/<str:month>.csv", statements.statement_csv, name="statement_csv"),
    path("statements/<str:month>/", statements.statement_detail, name="statement_detail"),
]
