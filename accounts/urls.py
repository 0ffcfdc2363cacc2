from django.urls import path

from accounts import data_views, views

app_name = "accounts"
urlpatterns = [
    path("account/", views.settings_page, name="settings"),
    path("account/profile/", views.profile_edit, name="profile_edit"),
    path("account/profile/avatar/", views.avatar_change, name="avatar_change"),
    path("account/profile/avatar/remove/", views.avatar_remove, name="avatar_remove"),
    path("account/export/", data_views.data_export, name="data_export"),
    path("account/delete/", data_views.account_delete, name="account_delete"),
    path("account/delete/confirm/", data_views.account_delete_confirm, name="account_delete_confirm"),
    path("account/deleted/", data_views.account_deleted, name="account_deleted"),
    path("people/<slug:handle>/", views.profile_detail, name="profile_detail"),
]
