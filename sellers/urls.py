from django.urls import path

from sellers import application_views, views

app_name = "sellers"
urlpatterns = [
    path("sell/", application_views.sell, name="sell"),
    path("sell/applied/", application_views.sell_applied, name="sell_applied"),
    path("sell/link/", application_views.sell_link, name="sell_link"),
    path("sell/link/sent/", application_views.sell_link_sent, name="sell_link_sent"),
    path("sell/application/<str:token>/", application_views.application_status, name="application_status"),
    path("sell/application/<str:token>/answer/", application_views.application_answer, name="application_answer"),
    path("sell/application/<str:token>/withdraw/", application_views.application_withdraw, name="application_withdraw"),
    path("sell/application/<str:token>/again/", application_views.application_again, name="application_again"),
    path("sellers/<str:slug>/", views.seller_detail, name="seller_detail"),
    path("sellers/<str:slug>/feed.atom", views.seller_feed, name="seller_feed"),
]
